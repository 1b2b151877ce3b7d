//! Running programs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

/// Where what is downloaded for tests is kept.
pub fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
}

/// Where a newer Node is kept than the machine has, in the cache.
pub const NODE: &str = "truststream/node";

/// The PATH, with what was downloaded for tests before it.
fn path() -> Result<OsString> {
    let own = cache().join(NODE).join("node_modules/node/bin");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.is_dir().then_some(own).into_iter().chain(std::env::split_paths(&others));
    Ok(std::env::join_paths(folders)?)
}

/// Where the binary is that the tests run, unless `TRUSTSTREAM_BIN` names another one.
pub fn binary() -> PathBuf {
    let named = std::env::var_os("TRUSTSTREAM_BIN").map(PathBuf::from);
    named.unwrap_or_else(|| target().join("tested/truststream"))
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs a program in a folder of the workspace; fails when it does.
pub fn run<A: AsRef<OsStr>>(folder: &str, program: &str, arguments: &[A]) -> Result<()> {
    let shown: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
    println!("\n$ {program} {}", shown.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .current_dir(root().join(folder))
        .env("PATH", path()?)
        .env("TRUSTSTREAM_BIN", binary())
        .status()
        .with_context(|| format!("{program} can't be started"))?;
    if !status.success() {
        bail!("{program} {} failed ({status})", shown.join(" "));
    }
    Ok(())
}

/// Whether a program is on the PATH.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}
