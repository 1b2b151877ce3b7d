//! What clients see while a fleet of two gateways switches there and back.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value as Json;
use truststream_conformance::postgres_server::PostgresServer;

use super::data::fill_postgres;
use super::load::{Load, Write, now_ms, quantile};
use super::project::{Project, began};
use super::{DURABLE, Options, name_of};

/// Before and after a flip, what counts as seen in it: milliseconds.
const AROUND: f64 = 300.0;

/// What was seen.
#[derive(Serialize)]
pub struct Live {
    pub writes: usize,
    pub failed: Vec<String>,
    pub flips: Vec<Seen>,
    /// Median latency of a write, in milliseconds, with nothing else going on: before, between and after the switches.
    pub p50_idle: f64,
    /// The same while rows are copied.
    pub p50_copying: f64,
    /// The same while both sides are compared.
    pub p50_verifying: f64,
    /// Writes of the first switch, for its picture.
    #[serde(skip)]
    pub picture: Picture,
}

/// One flip.
#[derive(Serialize)]
pub struct Seen {
    pub to: String,
    /// The longest write around it, in milliseconds.
    pub longest_ms: f64,
    /// How long the gateway that led says writes were held.
    pub told_ms: f64,
    /// Writes that waited, as it says.
    pub held: u64,
}

/// The writes around one switch, and its phases.
#[derive(Default)]
pub struct Picture {
    pub writes: Vec<Write>,
    pub phases: Vec<(String, f64)>,
}

/// Runs the fleet.
pub async fn run(options: &Options, binary: &Path) -> Result<Live> {
    let server = PostgresServer::start(DURABLE)?;
    let objects = tempfile::tempdir()?;
    let gateways = fleet(&server, options.rows, binary, objects.path()).await?;
    let load = Load::start(&gateways, options.rows, options.clients, options.rate);
    let (mut calm, mut records) = (vec![nothing_else(options).await], Vec::new());
    for _ in 0..options.switches.div_ceil(2) {
        records.push(there_and_back(&gateways[0]).await?);
        calm.push(nothing_else(options).await);
        eprintln!("{} of {} flips", records.len() * 2, options.switches);
    }
    Ok(judge(load.stop().await?, &calm, &records))
}

/// A stretch in which clients write and nothing else goes on: its begin and end.
async fn nothing_else(options: &Options) -> (f64, f64) {
    // The first writes find cold caches, or what a switch has left behind.
    tokio::time::sleep(Duration::from_secs_f64(options.seconds / 2.0)).await;
    let began = now_ms();
    tokio::time::sleep(Duration::from_secs_f64(options.seconds)).await;
    (began, now_ms())
}

/// Two gateways on `main`, which has so many rows; `cloud` is empty.
pub async fn fleet(
    server: &PostgresServer,
    rows: u64,
    binary: &Path,
    objects: &Path,
) -> Result<[Project; 2]> {
    let (main, cloud, control) = (server.new_database()?, server.new_database()?, server.new_database()?);
    let start = async |number: u8| {
        let settings = format!(
            "active = \"main\"\n[control]\nurl = {control:?}\nname = \"g{number}\"\n{}{}",
            backend("main", &main, objects),
            backend("cloud", &cloud, objects),
        );
        Project::start(binary, &settings).await
    };
    let gateways = [start(0).await?, start(1).await?];
    fill_postgres(server, name_of(&main), rows)?;
    Ok(gateways)
}

async fn there_and_back(gateway: &Project) -> Result<Json> {
    gateway.switch("cloud", &[]).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.cli(&["switch", "back"]).await?;
    let record = gateway.reach("rolled_back").await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    gateway.cli(&["switch", "finalize"]).await?;
    gateway.reach("finalized").await?;
    Ok(record)
}

fn backend(name: &str, url: &str, objects: &Path) -> String {
    let root = objects.join(name).display().to_string();
    format!(
        "[backend.{name}]\ndatabase = {{ provider = \"postgres\", url = {url:?} }}\n\
         storage = {{ provider = \"fs\", root = {root:?} }}\n"
    )
}

/// What took those writes that were due then.
fn within(writes: &[Write], from: f64, to: f64) -> impl Iterator<Item = f64> {
    writes.iter().filter(move |write| write.at >= from && write.at < to).map(|write| write.took)
}

/// The flips of a switch.
pub fn flips(record: &Json) -> impl Iterator<Item = &Json> {
    record["report"]["flips"].as_array().into_iter().flatten()
}

impl Seen {
    /// A flip, by those who wrote just before and after it, or since a moment before.
    pub fn of(flip: &Json, since: Option<f64>, writes: &[Write]) -> Self {
        let (at, told) = (flip["at_ms"].as_f64().unwrap_or(0.0), flip["pause_ms"].as_f64().unwrap_or(0.0));
        Seen {
            to: flip["to"].as_str().unwrap_or_default().to_owned(),
            longest_ms: within(writes, since.unwrap_or(at - told - AROUND), at + AROUND).fold(0.0, f64::max),
            told_ms: told,
            held: flip["held"].as_u64().unwrap_or(0),
        }
    }
}

fn judge(writes: Vec<Write>, calm: &[(f64, f64)], records: &[Json]) -> Live {
    let within = |from: f64, to: f64| -> Vec<f64> { within(&writes, from, to).collect() };
    let during = |phase: &str, next: &str| -> Vec<f64> {
        let windows = records.iter().filter_map(|record| Some((began(record, phase)?, began(record, next)?)));
        windows.flat_map(|(from, to)| within(from, to)).collect()
    };
    let idle: Vec<f64> = calm.iter().flat_map(|&(from, to)| within(from, to)).collect();
    Live {
        failed: writes.iter().filter_map(|write| write.failed.clone()).collect(),
        flips: records.iter().flat_map(flips).map(|flip| Seen::of(flip, None, &writes)).collect(),
        p50_idle: quantile(&idle, 0.5),
        p50_copying: quantile(&during("copying", "following"), 0.5),
        p50_verifying: quantile(&during("verifying", "ready"), 0.5),
        picture: picture(&writes, records.first()).unwrap_or_default(),
        writes: writes.len(),
    }
}

/// The first switch there and back, and two seconds before and after it.
fn picture(writes: &[Write], record: Option<&Json>) -> Option<Picture> {
    let history = record?["history"].as_array().context("no history").ok()?;
    let phase = |entry: &Json| Some((entry[0].as_str()?.to_owned(), entry[1].as_f64()?));
    let phases: Vec<_> = history.iter().filter_map(phase).collect();
    let (from, to) = (phases.first()?.1 - 2e3, phases.last()?.1 + 2e3);
    let writes = writes.iter().filter(|write| write.at >= from && write.at <= to).cloned().collect();
    Some(Picture { writes, phases })
}
