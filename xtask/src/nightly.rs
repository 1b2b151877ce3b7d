//! What takes too long for every change. What goes wrong is printed with the seed that finds it again.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::fuzz::fuzz;
use crate::histories::{self, FLEETS, NIGHTLY, NIGHTLY_FLEETS, PAIRS};
use crate::programs::{self, BESIDE_TESTS};
use crate::shell::Line;

/// 200 switches under faults, gateways that end at every step, 3,000 simulated clusters, and 10,000 random
/// requests on SQLite and PostgreSQL, others each day.
pub fn run() -> Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let day = since.as_secs() / 86_400;
    model().run()?;
    programs::build(BESIDE_TESTS)?;
    let mut lines = histories::pairs(PAIRS, day * 1_000, 20);
    lines.extend(histories::pairs(NIGHTLY, day * 1_000 + 500, 20));
    lines.extend(histories::fleets(FLEETS, day * 1_000, 20));
    lines.extend(histories::fleets(NIGHTLY_FLEETS, day * 1_000, 20));
    lines.extend(histories::gradual(day * 1_000, 20));
    lines.push(Line::new("python3", &["replay.py", "--backend", "mongodb"]).within("tests/postgrest"));
    lines.push(histories::steps(&[]));
    lines.extend(histories::held_up());
    lines.extend([simulations(day * 10_000, 3_000), differential(day)]);
    for line in lines {
        line.run()?;
    }
    fuzz(day)
}

/// The large worlds of the switch's state machine, and pairs of engines with many rows.
fn model() -> Line {
    let test =
        ["test", "--release", "--locked", "-p", "truststream-switch", "--test", "main", "--", "--nocapture"];
    Line::new("cargo", &test).with("TRUSTSTREAM_MODEL", "large").with("TRUSTSTREAM_ROWS", "5000")
}

/// Clusters in one thread, whose clocks a seed drives; some of each are run with the unit tests.
fn simulations(first: u64, seeds: u64) -> Line {
    let (first, seeds) = (first.to_string(), seeds.to_string());
    let cargo = ["run", "--release", "--locked", "-q", "-p", "truststream-simulation", "--"];
    Line::new("cargo", &cargo).and(&["--seed", &first, "--seeds", &seeds])
}

/// Random requests by a seed.
fn differential(seed: u64) -> Line {
    let test = ["test", "--locked", "-p", "truststream-conformance", "--test", "main", "differential"];
    let line = Line::new("cargo", &test).and(&["--", "--nocapture"]);
    line.with("TRUSTSTREAM_CASES", "10000").with("TRUSTSTREAM_SEED", seed.to_string())
}
