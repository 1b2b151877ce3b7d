//! Live switches in numbers: what clients see of them, how fast rows are moved and compared, how soon a
//! killed copy goes on.

mod bare;
mod copying;
mod data;
mod dead;
mod live;
mod load;
mod picture;
mod project;
mod resume;
mod table;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::clock::Civil;
use crate::report::machine::Machine;
use crate::results;

/// What PostgreSQL ships with, instead of what makes tests quick, and room for its log.
const DURABLE: &[&str] =
    &["fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=4GB"];

/// Measure live switches between real gateways: pauses, copies, comparisons.
#[derive(Args)]
pub struct Options {
    /// TrustStream's binary, built with the feature `mongodb`
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/truststream"))]
    truststream: PathBuf,
    /// Rows in the table
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Most rows of them that go to MongoDB
    #[arg(long, default_value_t = 1_000_000)]
    mongodb_rows: u64,
    /// Flips, half of them there and half back
    #[arg(long, default_value_t = 100)]
    switches: usize,
    /// Writes a second, all clients together
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    /// Clients, half of them at each gateway
    #[arg(long, default_value_t = 64)]
    clients: u64,
    /// How long is written before, between and after the switches, to compare with
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Times that a copy is killed, and a gateway before a flip
    #[arg(long, default_value_t = 3)]
    kills: usize,
    /// Measure only this; repeatable
    #[arg(long)]
    part: Vec<Part>,
    /// Where the samples go [default: results/DATE-switch.json]
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where the picture of a switch goes [default: results/DATE-switch.svg]
    #[arg(long)]
    picture: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Pauses and latencies that clients see
    Live,
    /// Copies and comparisons
    Copy,
    /// Flips just before which a gateway was killed
    Dead,
    /// Going on after a kill
    Resume,
}

/// Everything that a run found.
#[derive(Serialize)]
struct Report {
    date: String,
    machine: Machine,
    command: String,
    rows: u64,
    live: Option<live::Live>,
    dead: Option<dead::Dead>,
    copies: Vec<copying::Copied>,
    resume_seconds: Vec<f64>,
}

/// Measures what is asked for, and writes the report.
pub async fn run(options: &Options) -> Result<()> {
    ensure!(options.rows >= 10 && options.clients > 0 && options.rate > 0.0, "nothing to measure");
    let measures = |part: Part| options.part.is_empty() || options.part.contains(&part);
    let binary = &options.truststream;
    let live = if measures(Part::Live) { Some(live::run(options, binary).await?) } else { None };
    let dead = if measures(Part::Dead) { Some(dead::run(options, binary).await?) } else { None };
    let copies = if measures(Part::Copy) { copying::run(options, binary).await? } else { Vec::new() };
    let resume_seconds =
        if measures(Part::Resume) { resume::run(options, binary).await? } else { Vec::new() };
    let arguments = std::env::args().skip(1);
    let command =
        ["cargo run --release --".to_owned()].into_iter().chain(arguments).collect::<Vec<_>>().join(" ");
    let (date, machine, rows) = (Civil::now().date(), Machine::here(), options.rows);
    let report = Report { date, machine, command, rows, live, dead, copies, resume_seconds };
    results::write(options.json.as_ref(), "switch", &report)?;
    if let Some(live) = &report.live {
        let path = options.picture.clone();
        let path =
            path.unwrap_or_else(|| results::path(options.json.as_ref(), "switch").with_extension("svg"));
        std::fs::write(path, picture::draw(&live.picture))?;
    }
    print!("{}", table::of(&report));
    let failed = [report.live.map(|live| live.failed), report.dead.map(|dead| dead.failed)];
    let failed: Vec<_> = failed.into_iter().flatten().flatten().collect();
    ensure!(failed.is_empty(), "{} writes failed, the first with {}", failed.len(), failed[0]);
    Ok(())
}

/// The database of a URL.
fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}
