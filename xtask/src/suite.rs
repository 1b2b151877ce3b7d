//! All tests, in the order in which they find mistakes soonest.

use std::path::PathBuf;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::fuzz::fuzz;
use crate::shell::{binary, run, target};
use crate::{setup, tidy};

/// A part of the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting.
    Fmt,
    /// Rules of the workspace.
    Tidy,
    /// Lints, warnings denied.
    Clippy,
    /// Unit, conformance and provider tests.
    Unit,
    /// Types made by the binary, held against the real TypeScript compiler and client.
    Types,
    /// The official JavaScript client against the binary, on every backend.
    E2e,
    /// The official Python client against the binary.
    Python,
    /// PostgREST's own cases against the binary, on PostgreSQL and on SQLite.
    Postgrest,
    /// A switch there and back over 100,000 rows under load; fails if a request fails or a write is
    /// lost or doubled.
    Switch,
    /// Ten switches under faults that follow from seeds, judged by what clients saw.
    Histories,
    /// Builds that make known mistakes, each of which the histories' checker must catch, and gateways that
    /// end at named steps of a switch, after which nothing may be lost.
    Mutations,
}

/// Engines that histories are run between, from and to, with how many seeds of ten.
const PAIRS: &[(&str, &str, u64)] = &[
    ("sqlite", "postgres", 4),
    ("postgres", "sqlite", 3),
    ("postgres", "postgres", 1),
    ("sqlite", "sqlite", 2),
];

/// Engines that are run between every night only: SecantusDB takes minutes for some seeds.
const NIGHTLY: &[(&str, &str, u64)] = &[("sqlite", "mongodb", 1)];

const ALL: &[Part] = &[
    Part::Fmt,
    Part::Tidy,
    Part::Clippy,
    Part::Unit,
    Part::Types,
    Part::E2e,
    Part::Python,
    Part::Postgrest,
    Part::Switch,
    Part::Histories,
    Part::Mutations,
];

/// Runs the given parts, or all.
pub fn run_parts(parts: &[Part]) -> Result<()> {
    for part in parts {
        let began = Instant::now();
        one(*part)?;
        println!("{part:?}: {:.0} s", began.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Installs what is needed and runs the given parts, or all.
pub fn run_all(parts: &[Part]) -> Result<()> {
    setup::all()?;
    run_parts(if parts.is_empty() { ALL } else { parts })
}

fn one(part: Part) -> Result<()> {
    match part {
        Part::Fmt => run(".", "cargo", &["fmt", "--all", "--check"]),
        Part::Tidy => tidy::check(),
        Part::Clippy => {
            run(".", "cargo", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        }
        Part::Unit => run(".", "cargo", &["test", "--workspace", "--locked", "--no-fail-fast"]),
        Part::Types => {
            build()?;
            run("tests/types", "node", &["run.mjs"])
        }
        Part::E2e => {
            build()?;
            run("tests/e2e", "node", &["run.mjs"])
        }
        Part::Python => {
            build()?;
            run("tests/python", "python3", &["run.py"])
        }
        Part::Postgrest => {
            build()?;
            run("tests/postgrest", "python3", &["replay.py"])?;
            run("tests/postgrest", "python3", &["replay.py", "--backend", "sqlite"])
        }
        Part::Switch => {
            build()?;
            run(".", &text(binary())?, &["demo", "--json"])
        }
        Part::Histories => {
            build()?;
            histories(PAIRS, 1, 1)?;
            fleet(1, 1)
        }
        Part::Mutations => mutations(),
    }
}

/// Switches under faults between pairs of engines: `times` as many as there are for every change, by
/// the seeds from `first` on.
fn histories(pairs: &[(&str, &str, u64)], first: u64, times: u64) -> Result<()> {
    let mut seed = first;
    for (from, to, seeds) in pairs {
        let seeds = seeds * times;
        let (begin, count) = (seed.to_string(), seeds.to_string());
        let arguments = ["--seed", &begin, "--seeds", &count, "--from", from, "--to", to];
        let cargo = ["run", "--locked", "-q", "-p", "truststream-histories", "--"];
        run(".", "cargo", &[&cargo[..], &arguments[..]].concat())?;
        seed += seeds;
    }
    Ok(())
}

/// Switches of several gateways, one of which goes wrong: killed, frozen, cut off.
fn fleet(first: u64, times: u64) -> Result<()> {
    let (begin, count) = (first.to_string(), (FLEETS * times).to_string());
    let arguments = ["--gateways", "2", "--from", "postgres", "--to", "postgres"];
    let seeds = ["--seed", &begin, "--seeds", &count, "--ballast", "2000", "--rate", "100"];
    let cargo = ["run", "--locked", "-q", "-p", "truststream-histories", "--"];
    run(".", "cargo", &[&cargo[..], &arguments[..], &seeds[..]].concat())
}

/// Clusters in one thread, whose clocks a seed drives; some of each are run with the unit tests.
fn simulations(first: u64, seeds: u64) -> Result<()> {
    let (first, seeds) = (first.to_string(), seeds.to_string());
    let cargo = ["run", "--release", "--locked", "-q", "-p", "truststream-simulation", "--"];
    run(".", "cargo", &[&cargo[..], &["--seed", &first, "--seeds", &seeds]].concat())
}

/// How many seeds of ten are runs of a fleet, beside those of one gateway.
const FLEETS: u64 = 4;

/// Each known mistake, and from which engine to which one it shows best.
const MUTATIONS: &[(&str, &str, &str)] = &[
    ("drop-change", "sqlite", "postgres"),
    ("apply-twice", "sqlite", "postgres"),
    ("end-before-drain", "postgres", "sqlite"),
    ("late-reverse", "sqlite", "postgres"),
];

/// Steps at which a gateway ends for every change; nightly it is all of them.
const STEPS: &[&str] = &["captured", "batch", "identities", "committed", "caughtup/2", "released"];

/// The binary that makes mistakes and ends where it is told to.
fn mutant() -> Result<String> {
    let features = format!("mutations,{PROVIDERS}");
    run(".", "cargo", &["build", "--locked", "-p", "truststream-cli", "--features", &features])?;
    text(target().join("debug/truststream"))
}

fn text(path: PathBuf) -> Result<String> {
    match path.to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("{} is no text", path.display()),
    }
}

/// Gateways that end at these steps, or at every one if none is named.
fn steps(binary: &str, names: &[&str]) -> Result<()> {
    let arguments = ["--binary", binary, "--ballast", "2000", "--steps"];
    let cargo = ["run", "--locked", "-q", "-p", "truststream-histories", "--"];
    run(".", "cargo", &[&cargo[..], &arguments[..], names].concat())
}

fn mutations() -> Result<()> {
    let binary = &mutant()?;
    steps(binary, STEPS)?;
    for (mutation, from, to) in MUTATIONS {
        let arguments = ["--binary", binary, "--mutation", mutation, "--from", from, "--to", to];
        // Many writes at a time: some mistakes are only seen in those that are under way at the flip.
        let load = ["--seeds", "12", "--clients", "24", "--rate", "1500"];
        let cargo = ["run", "--locked", "-q", "-p", "truststream-histories", "--"];
        run(".", "cargo", &[&cargo[..], &load[..], &arguments[..]].concat())?;
    }
    Ok(())
}

/// What takes too long for every change: 200 switches under faults, gateways that end at every step,
/// 3,000 simulated clusters, and 10,000 random requests on SQLite and PostgreSQL, others each day. What goes wrong is printed with the
/// seed that finds it again.
pub fn nightly() -> Result<()> {
    let model = ["cargo", "test", "--release", "--locked", "-p", "truststream-switch", "--test", "main"];
    let mut command = vec!["TRUSTSTREAM_MODEL=large"];
    command.extend(model);
    command.extend(["--", "--nocapture"]);
    run(".", "env", &command)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let day = since.as_secs() / 86_400;
    build()?;
    histories(PAIRS, day * 1_000, 20)?;
    histories(NIGHTLY, day * 1_000 + 500, 20)?;
    fleet(day * 1_000, 20)?;
    steps(&mutant()?, &[])?;
    simulations(day * 10_000, 3_000)?;
    let seed = format!("TRUSTSTREAM_SEED={day}");
    let test = ["test", "--locked", "-p", "truststream-conformance", "--test", "main", "differential"];
    let mut command = vec!["TRUSTSTREAM_CASES=10000", &seed, "cargo"];
    command.extend(test);
    command.extend(["--", "--nocapture"]);
    run(".", "env", &command)?;
    fuzz(day)
}

/// Providers beside the default ones that there is a server for: one binary serves all parts.
const PROVIDERS: &str = "mongodb,supabase";

/// The binary that the parts run, unless the caller brings one.
fn build() -> Result<()> {
    if std::env::var_os("TRUSTSTREAM_BIN").is_some() {
        return Ok(());
    }
    run(".", "cargo", &["build", "--profile", "tested", "--locked", "--features", PROVIDERS])
}
