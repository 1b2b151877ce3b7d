//! The report: all samples as JSON, and their medians as markdown.

pub mod machine;
mod markdown;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Civil;
use crate::http::{Options, Sample};
use crate::peer::Engine;
use machine::Machine;

/// Everything that a run found.
#[derive(Serialize)]
pub struct Report {
    date: String,
    machine: Machine,
    command: String,
    rows: u64,
    connections: usize,
    seconds: f64,
    warm_up: f64,
    rounds: usize,
    peers: Vec<Measured>,
    failed: Vec<Failed>,
}

/// What was measured on one peer.
#[derive(Serialize)]
pub struct Measured {
    pub name: &'static str,
    pub version: String,
    pub engine: Engine,
    pub settings: &'static str,
    /// Process start to first good reply, on loaded data.
    pub start_ms: Vec<f64>,
    pub idle_resident: u64,
    /// By scenario, one for each round.
    pub samples: BTreeMap<&'static str, Vec<Sample>>,
}

/// A peer that could not be measured.
#[derive(Serialize)]
pub struct Failed {
    name: &'static str,
    reason: String,
}

impl Failed {
    /// `name` failed with `error`.
    pub fn new(name: &'static str, error: &anyhow::Error) -> Self {
        eprintln!("{name} is not measured: {error:#}");
        Self { name, reason: format!("{error:#}") }
    }
}

impl Report {
    /// What a run with `options` found.
    pub fn new(options: &Options, peers: Vec<Measured>, failed: Vec<Failed>) -> Self {
        let arguments = std::env::args().skip(1);
        Self {
            date: Civil::now().date(),
            machine: Machine::here(),
            command: ["cargo run --release --".to_owned()]
                .into_iter()
                .chain(arguments)
                .collect::<Vec<_>>()
                .join(" "),
            rows: options.rows,
            connections: options.connections,
            seconds: options.seconds,
            warm_up: options.warm_up,
            rounds: options.rounds,
            peers,
            failed,
        }
    }
}
