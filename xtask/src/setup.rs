//! Installing what the tests need on a machine that has only a Rust toolchain.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::shell::{has, root, run};

/// Installs all that is missing.
pub fn all() -> Result<()> {
    let mut packages = Vec::new();
    if !has("initdb") && !has_debian_postgres() {
        packages.push("postgresql-15");
    }
    if has("apt-get") && !Path::new("/usr/share/postgresql/15/extension/postgis.control").exists() {
        packages.push("postgresql-15-postgis-3");
    }
    if has("apt-get") && !has("pgbouncer") && !Path::new("/usr/sbin/pgbouncer").exists() {
        packages.push("pgbouncer");
    }
    if !has("node") || !has("npm") {
        packages.extend(["nodejs", "npm"]);
    }
    if !makes_venvs() {
        packages.extend(["python3", "python3-venv"]);
    }
    if !packages.is_empty() {
        install(&packages)?;
    }
    if !root().join("tests/e2e/node_modules/.package-lock.json").exists() {
        run("tests/e2e", "npm", &["ci", "--no-audit", "--no-fund"])?;
    }
    secantusdb()
}

/// A server of MongoDB's protocol. Its licence is not ours: it is only ever run, by its own Python.
fn secantusdb() -> Result<()> {
    let folder = cache().join("truststream/secantusdb");
    if folder.join("bin/secantusd-py").is_file() {
        return Ok(());
    }
    let Some(path) = folder.to_str() else { bail!("{} is no text", folder.display()) };
    run(".", "python3", &["-m", "venv", path])?;
    run(".", &format!("{path}/bin/pip"), &["install", "-q", "SecantusDB==0.7.0b3"])
}

/// Where what is downloaded for tests is kept.
fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from)
}

/// Whether Python is here with what its virtual environments need.
fn makes_venvs() -> bool {
    let imports = std::process::Command::new("python3").args(["-c", "import venv, ensurepip"]).status();
    imports.is_ok_and(|status| status.success())
}

fn has_debian_postgres() -> bool {
    std::fs::read_dir("/usr/lib/postgresql")
        .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin/initdb").is_file()))
}

fn install(packages: &[&str]) -> Result<()> {
    if !has("apt-get") {
        bail!("the tests need {}; install what these Debian packages hold", packages.join(", "));
    }
    // The apt package would start a server of its own, which no test uses.
    let sudo: &[&str] = if is_root() { &[] } else { &["sudo"] };
    let apt = |arguments: &[&str]| {
        let line: Vec<_> = sudo
            .iter()
            .copied()
            .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
            .chain(arguments.iter().copied())
            .collect();
        run(".", line[0], &line[1..])
    };
    apt(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
