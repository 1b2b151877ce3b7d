//! Where the samples of a run are kept.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::clock::Civil;

/// `results/DATE-NAME.json` here, unless another file is given.
pub fn path(given: Option<&PathBuf>, name: &str) -> PathBuf {
    let results = concat!(env!("CARGO_MANIFEST_DIR"), "/results");
    given.cloned().unwrap_or_else(|| PathBuf::from(format!("{results}/{}-{name}.json", Civil::now().date())))
}

/// Writes the samples there.
pub fn write(given: Option<&PathBuf>, name: &str, samples: &impl Serialize) -> Result<()> {
    let path = path(given, name);
    let json = serde_json::to_string_pretty(samples)? + "\n";
    std::fs::write(&path, json).with_context(|| format!("writing {}", path.display()))
}
