//! All tests: what has to be compiled is compiled once, and what is then run is run side by side. Examples
//! that no test runs are compiled by the lints alone.

use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::histories::{self, FLEETS, PAIRS, STEPS};
use crate::jobs::{self, Ended, Job};
use crate::programs::{self, BESIDE_TESTS, Test};
use crate::setup;
use crate::shell::Line;
use crate::temporary::Temporary;

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
    /// PostgREST's own cases against the binary, on PostgreSQL, SQLite and MongoDB.
    Postgrest,
    /// A switch there and back over 100,000 rows under load; fails if a request fails or a write is
    /// lost or doubled.
    Switch,
    /// Ten switches under faults that follow from seeds, judged by what clients saw.
    Histories,
    /// Gateways that make known mistakes, each of which the histories' checker must catch, and gateways that
    /// end at named steps of a switch, after which nothing may be lost.
    Mutations,
}

/// What takes long, and for how many seconds, about, on two cores that do other things as well.
const LONG: &[(&str, u64)] = &[
    ("crates/switch test", 840),
    ("providers/postgres test", 400),
    ("providers/supabase test", 300),
    ("crates/cli test", 110),
    ("providers/mongodb test", 100),
    ("crates/truststream test", 40),
    ("providers/sqlite test", 40),
    ("crates/conformance test", 30),
    ("crates/engines test", 30),
    ("tests/simulation bin", 25),
    ("crates/gateway lib", 20),
];

/// Installs what is needed and runs the given parts, or all. Each of them is run, also when another fails.
pub fn run_all(parts: &[Part]) -> Result<()> {
    setup::all()?;
    let began = Instant::now();
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    let mut all = Vec::new();
    let tests = if parts.iter().any(|part| part.is_built()) {
        let tests: &[&str] = if parts.contains(&Part::Unit) { &["--tests"] } else { &[] };
        let built = programs::build(&[tests, BESIDE_TESTS].concat());
        let failure = built.as_ref().err().map(|error| format!("{error:#}"));
        let (part, name) = ("build".to_owned(), String::new());
        all.push(Ended { part, name, took: began.elapsed(), failure, log: None });
        built.ok()
    } else {
        Some(Vec::new())
    };
    let (mut jobs, mut one_by_one) = (Vec::new(), Vec::new());
    for part in parts {
        match &tests {
            None if part.is_built() => {}
            _ if part.asks_cargo() => one_by_one.extend(part.jobs(&[])?),
            tests => jobs.extend(part.jobs(tests.as_deref().unwrap_or_default())?),
        }
        if *part == Part::Unit && tests.is_some() {
            let lines = vec![programs::cargo("test").and(&["--doc"]).behind_others()];
            one_by_one.push(part.job("of documentation", 60, lines));
        }
    }
    let temporary = Temporary::new()?;
    // Most of them wait for servers now and then.
    let at_a_time = available_parallelism().map_or(2, usize::from) + 1;
    all.extend(jobs::run(at_a_time, jobs, one_by_one, temporary.path())?);
    jobs::conclude(&all, began)
}

impl Part {
    fn job(self, name: &str, seconds: u64, lines: Vec<Line>) -> Job {
        Job { part: format!("{self:?}").to_lowercase(), name: name.to_owned(), seconds, lines }
    }

    /// Whether it runs what is built first.
    fn is_built(self) -> bool {
        match self {
            Part::Fmt | Part::Tidy | Part::Clippy => false,
            // The caller may have brought the binary.
            Part::Types | Part::E2e | Part::Python | Part::Switch => {
                std::env::var_os("TRUSTSTREAM_BIN").is_none()
            }
            Part::Unit | Part::Postgrest | Part::Histories | Part::Mutations => true,
        }
    }

    /// Whether cargo works for it, of which one works at a time.
    fn asks_cargo(self) -> bool {
        matches!(self, Part::Tidy | Part::Clippy)
    }

    /// What is to be run for it.
    fn jobs(self, tests: &[Test]) -> Result<Vec<Job>> {
        let one = |seconds, lines| vec![self.job("", seconds, lines)];
        Ok(match self {
            Part::Fmt => one(5, vec![Line::new("cargo", &["fmt", "--all", "--check"])]),
            Part::Tidy => {
                let own = std::env::current_exe().context("the program of these tasks")?;
                one(5, vec![Line::new(own, &["tidy"])])
            }
            Part::Clippy => one(100, lints()),
            Part::Unit => {
                let seconds =
                    |name: &str| LONG.iter().find(|(long, _)| *long == name).map_or(1, |(_, time)| *time);
                tests
                    .iter()
                    .map(|test| self.job(&test.name, seconds(&test.name), vec![test.line()]))
                    .collect()
            }
            Part::Types => one(5, vec![Line::new("node", &["run.mjs"]).within("tests/types")]),
            Part::E2e => {
                let on = |name: &str| {
                    let line = Line::new("node", &["run.mjs", "--backend", name]).within("tests/e2e");
                    self.job(name, 120, vec![line])
                };
                backends()?.split_ascii_whitespace().map(on).collect()
            }
            Part::Python => one(35, vec![Line::new("python3", &["run.py"]).within("tests/python")]),
            Part::Postgrest => {
                let on = |name: &str, more: &[&str]| {
                    let line = Line::new("python3", &["replay.py", "--backend", name]).and(more);
                    let line = line.with("TRUSTSTREAM_HOST", programs::built("examples/host"));
                    self.job(name, 100, vec![line.within("tests/postgrest")])
                };
                vec![on("postgres", &[]), on("sqlite", &[]), on("mongodb", &["--base-only"])]
            }
            Part::Switch => one(20, vec![histories::demo()]),
            // One after the other: what clients see is judged, and they are many.
            Part::Histories => {
                let fleets = histories::fleets(FLEETS, 1, 1);
                one(310, [histories::pairs(PAIRS, 1, 1), fleets, histories::gradual(1, 1)].concat())
            }
            Part::Mutations => one(170, [vec![histories::steps(STEPS)], histories::mutations()].concat()),
        })
    }
}

/// The lints of all there is, and of what users build, without what the tests add to it.
fn lints() -> Vec<Line> {
    let deny = ["--", "-D", "warnings"];
    let own = Line::new("cargo", &["clippy", "--locked", "--profile", programs::PROFILE]);
    let all = programs::cargo("clippy").and(&["--all-targets"]);
    [all, own].map(|line| line.and(&deny).behind_others()).to_vec()
}

/// The backends that the JavaScript client is run against.
fn backends() -> Result<String> {
    let ask = "import('./support/backends.mjs').then(({ BACKENDS }) => console.log(BACKENDS.join(' ')))";
    let output = Line::new("node", &["-e", ask]).within("tests/e2e").command()?.output();
    Ok(String::from_utf8(output.context("node can't be started")?.stdout)?)
}
