//! The parsers under mutants of their corpus, and under a fuzzer where there is one.

use anyhow::Result;

use crate::shell::{has, run};

/// Targets in `fuzz/`.
const TARGETS: &[&str] = &["parameters", "schema", "values"];
/// Seconds that each is fuzzed.
const SECONDS: u64 = 300;
/// Mutants of each corpus.
const MUTANTS: u64 = 1_000_000;

/// Tests mutants by a seed, then fuzzes each target for some minutes; says so where no fuzzer is installed.
pub fn fuzz(seed: u64) -> Result<()> {
    let (seed, mutants) = (format!("TRUSTSTREAM_SEED={seed}"), format!("TRUSTSTREAM_CASES={MUTANTS}"));
    run("fuzz", "env", &[&seed, &mutants, "cargo", "test", "--release", "--locked"])?;
    if !has("cargo-fuzz") {
        println!("not fuzzed: there is no cargo-fuzz here (fuzz/README.md)");
        return Ok(());
    }
    let limit = format!("-max_total_time={SECONDS}");
    for target in TARGETS {
        let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
        std::fs::create_dir_all(crate::shell::root().join(&found))?;
        let arguments = ["+nightly", "fuzz", "run", target, &found, &corpus, "--", &limit, "-timeout=10"];
        run(".", "cargo", &arguments)?;
    }
    Ok(())
}
