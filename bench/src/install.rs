//! Peers from their registries, pinned, once, into a cache folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// Where installed peers stay between runs, unless said otherwise.
pub fn default_cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.unwrap_or_else(std::env::temp_dir).join("truststream-bench")
}

/// Installs a Python package into a virtual environment of its own; returns the environment's folder.
pub fn python(cache: &Path, package: &str, version: &str) -> Result<PathBuf> {
    let folder = cache.join(format!("{package}-{version}"));
    once(&folder, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let wanted = format!("{package}=={version}");
        run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", &wanted]))
    })?;
    Ok(folder)
}

/// Installs npm packages (`name@version`) into `cache/name`; returns its `node_modules`.
pub fn npm(cache: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = cache.join(name);
    once(&folder, |folder| {
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]).arg(folder);
        run(command.args(packages))
    })?;
    Ok(folder.join("node_modules"))
}

/// Runs `install` on an empty folder, and marks it complete: one that was interrupted starts over.
fn once(folder: &Path, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let complete = folder.join(".complete");
    if complete.exists() {
        return Ok(());
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    eprintln!("installing into {}", folder.display());
    install(folder)?;
    std::fs::write(&complete, "").with_context(|| format!("writing {}", complete.display()))
}

/// Runs a command to its end; its output becomes the error when it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{:?}", command.get_program());
    let output = command.output().with_context(|| format!("running {shown}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{shown} failed ({}): {}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
