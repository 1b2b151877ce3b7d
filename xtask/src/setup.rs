//! Installing what the tests need on a machine that has only a Rust toolchain.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{NODE, cache, has, root, run};

/// The oldest major version of Node whose test runner has what `tests/e2e/run.mjs` asks for.
const OLDEST_NODE: u32 = 20;

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
    if has("apt-get") && !has_faketime() {
        packages.push("libfaketime");
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
    node()?;
    for folder in ["tests/e2e", "tests/types"] {
        if !root().join(folder).join("node_modules/.package-lock.json").exists() {
            run(folder, "npm", &["ci", "--no-audit", "--no-fund"])?;
        }
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

/// A Node that the official client and the test runner work on. Debian's may be older; the one that
/// npm packs is then put beside it, for the tests only.
fn node() -> Result<()> {
    let asked = Command::new("node").args(["-p", "process.versions.node.split('.')[0]"]).output()?;
    let major: u32 = String::from_utf8_lossy(&asked.stdout).trim().parse().unwrap_or_default();
    let folder = cache().join(NODE);
    if major >= OLDEST_NODE || folder.join("node_modules/node/bin/node").is_file() {
        return Ok(());
    }
    std::fs::create_dir_all(&folder)?;
    let Some(path) = folder.to_str() else { bail!("{} is no text", folder.display()) };
    run(".", "npm", &["install", "--no-audit", "--no-fund", "--prefix", path, "node@22"])
}

/// Whether Python is here with what its virtual environments need.
fn makes_venvs() -> bool {
    let imports = Command::new("python3").args(["-c", "import venv, ensurepip"]).status();
    imports.is_ok_and(|status| status.success())
}

/// In the folder of some architecture.
fn has_faketime() -> bool {
    std::fs::read_dir("/usr/lib")
        .is_ok_and(|folders| folders.flatten().any(|folder| folder.path().join("faketime").is_dir()))
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
