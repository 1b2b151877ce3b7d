//! The rules that a reviewer would repeat, as checks.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell::root;
use crate::sync;

/// Longest source file in lines, without its tests.
const FILE: usize = 500;
/// Longest test file in lines.
const TEST_FILE: usize = 700;

/// What each crate of `crates/` may depend on inside the workspace. Arrows go one way only.
const ALLOWED: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("lock", &["kernel"]),
    ("spool", &["kernel"]),
    ("services", &["kernel"]),
    ("layers", &["kernel"]),
    ("sql", &["kernel", "services"]),
    ("engines", &["kernel", "services"]),
    ("typegen", &["kernel", "services", "sql"]),
    ("switch", &["kernel", "services"]),
    ("conformance", &["kernel", "services", "layers", "sql", "engines"]),
    // And every provider.
    ("runtime", &["kernel", "lock", "services", "layers", "sql", "engines", "switch"]),
    ("gateway", &["kernel", "spool", "services", "engines", "runtime", "switch"]),
    ("truststream", &["kernel", "services", "engines", "runtime", "switch"]),
];

/// What a provider may depend on inside the workspace.
const PROVIDER: &[&str] = &["kernel", "lock", "spool", "services", "sql"];

/// Checks all rules and prints every breach.
pub fn check() -> Result<()> {
    let mut breaches = Vec::new();
    for folder in ["crates", "providers", "xtask", "bench", "examples", "tests"] {
        visit(&root().join(folder), &mut |path| check_file(path, &mut breaches))?;
    }
    check_dependencies("crates", &mut breaches)?;
    check_dependencies("providers", &mut breaches)?;
    if let Err(error) = sync::check() {
        breaches.push(error.to_string());
    }
    if breaches.is_empty() {
        println!("tidy: nothing to complain of");
        return Ok(());
    }
    bail!("{} breaches of the rules:\n{}", breaches.len(), breaches.join("\n"))
}

fn visit(folder: &Path, each: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                visit(&path, each)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path)?;
        }
    }
    Ok(())
}

fn check_file(path: &Path, breaches: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let is_test = shown.contains("/tests/") || shown.ends_with("tests.rs");
    let lines = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().lines().count();
    let longest = if is_test { TEST_FILE } else { FILE };
    if lines > longest {
        breaches.push(format!("{shown}: {lines} lines; split it by ideas (at most {longest})"));
    }
    if !text.starts_with("//!") && !is_test && !shown.contains("tests/") {
        breaches.push(format!("{shown}: says nothing of itself; begin with a `//!` line"));
    }
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if ["utils", "util", "common", "helpers", "misc", "types"].contains(&stem)
        && !shown.contains("kernel/src/value")
    {
        breaches.push(format!("{shown}: `{stem}` names no idea"));
    }
    let marker = ["FIX", "ME"].concat();
    for (number, line) in text.lines().enumerate() {
        if line.contains(&marker) || line.contains(&["TO", "DO:"].concat()) {
            breaches.push(format!("{shown}:{}: unfinished work belongs into an issue", number + 1));
        }
    }
    Ok(())
}

fn check_dependencies(folder: &str, breaches: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(root().join(folder))?.flatten() {
        let manifest: PathBuf = entry.path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        let allowed = match ALLOWED.iter().find(|(crate_name, _)| *crate_name == name) {
            _ if folder == "providers" => PROVIDER,
            Some((_, allowed)) => allowed,
            None => continue,
        };
        let normal = text.split("[dependencies]").nth(1).unwrap_or_default();
        let normal = normal.split("\n[").next().unwrap_or_default();
        for line in normal.lines() {
            let Some(other) = line.strip_prefix("truststream-") else { continue };
            let other = other.split(['.', ' ', '=']).next().unwrap_or_default();
            let plugged = name == "runtime" && root().join("providers").join(other).is_dir();
            if !allowed.contains(&other) && !plugged {
                breaches.push(format!("{folder}/{name}: must not depend on `{other}`"));
            }
        }
    }
    Ok(())
}
