//! The library against the raw driver doing the same work: point read, list read, insert, in process
//! and without HTTP.
//!
//! Both sides hold the same table in a file of their own with the same settings, return the same
//! structs, and are measured in turns, so that what disturbs the machine disturbs both.

mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::server::Postgres;
use crate::stats::{median, range};
use crate::{count, results};

/// Measure the library side by side with the raw driver.
#[derive(Args)]
pub struct Options {
    /// Rounds; the sides take turns in each.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// How long each side works on each scenario in a round.
    #[arg(long, default_value_t = 300)]
    milliseconds: u64,
    /// The PostgreSQL server, as `postgres://user@host:port`, on which a database is made
    /// [default: one of this run's own, in a temporary folder]
    #[arg(long)]
    postgres: Option<String>,
    /// Only on this engine [default: both]
    #[arg(long)]
    engine: Option<Engine>,
    /// Where the JSON goes [default: results/DATE-library.json here]
    #[arg(long)]
    json: Option<PathBuf>,
    /// Count instructions and allocations with Valgrind instead of measuring time.
    #[arg(long)]
    count: bool,
    /// Only this scenario.
    #[arg(long)]
    only: Option<Scenario>,
    /// Do so many units of work and say nothing: what a profiler is put on.
    #[arg(long, requires = "only")]
    units: Option<i64>,
    /// Which side does them.
    #[arg(long, default_value = "library")]
    side: Sides,
}

/// What is below both sides.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

/// Which of the two.
#[derive(Clone, Copy, ValueEnum)]
enum Sides {
    Raw,
    Library,
}

/// Microseconds for a unit of work, the raw driver's and the library's in each round.
#[derive(Serialize)]
struct Compared {
    database: String,
    scenario: &'static str,
    rounds: Vec<(f64, f64)>,
}

/// Rows that are there before anything is measured.
const ROWS: i64 = 10_000;
/// Rows of a list.
const LIST: i64 = 50;
const SCHEMA: &str =
    "create table tracks (id bigint primary key, title text not null, plays bigint not null)";

/// A row, as both sides read and write it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Track {
    id: i64,
    title: String,
    plays: i64,
}

impl Track {
    fn new(id: i64) -> Self {
        Track { id, title: format!("track number {id}"), plays: id * 7 % 1000 }
    }
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Scenario {
    Point,
    List,
    Insert,
}

const SCENARIOS: [(&str, Scenario); 3] =
    [("point read", Scenario::Point), ("list of 50", Scenario::List), ("insert", Scenario::Insert)];

/// One side: it does the `n`th unit of work of a scenario.
trait Side {
    async fn work(&mut self, scenario: Scenario, n: i64) -> Result<usize>;
}

pub async fn run(options: &Options) -> Result<()> {
    if options.count {
        return counted(options.only);
    }
    if let (Some(scenario), Some(units)) = (options.only, options.units) {
        return profiled(options, scenario, units).await;
    }
    println!("| database | scenario | raw driver, µs | library, µs | ratio | range of ratios |");
    println!("|---|---|---|---|---|---|");
    let folder = tempfile::tempdir()?;
    let mut compared = Vec::new();
    if options.engine != Some(Engine::Postgres) {
        let mut raw = sqlite::Raw::open(&folder.path().join("raw.db"))?;
        let db = truststream::TrustStream::embedded(folder.path().join("library")).await?;
        let mut library = Library::fill(db).await?;
        compared.extend(compare("SQLite", options, &mut raw, &mut library).await?);
    }
    if options.engine != Some(Engine::Sqlite) {
        let server = Postgres::open(options.postgres.as_deref())?;
        let url = server.new_database("library_bench").await?;
        let mut raw = postgres::Raw::connect(&url).await?;
        let mut library = Library::fill(postgres::library(&url, folder.path()).await?).await?;
        compared.extend(compare("PostgreSQL", options, &mut raw, &mut library).await?);
    }
    results::write(options.json.as_ref(), "library", &compared)
}

/// A table of what both sides take for a unit of work.
fn counted(only: Option<Scenario>) -> Result<()> {
    println!(
        "| scenario | raw driver, instructions | library, instructions | ratio | raw, allocations | library, allocations |"
    );
    println!("|---|---:|---:|---:|---:|---:|");
    for (name, scenario) in SCENARIOS {
        if only.is_some_and(|only| only != scenario) {
            continue;
        }
        let known = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let side = |side| count::a_unit(&["library", "--side", side, "--only", &known]);
        let (raw, ours) = (side("raw")?, side("library")?);
        println!(
            "| {name} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} |",
            raw.instructions,
            ours.instructions,
            ours.instructions / raw.instructions,
            raw.allocations,
            ours.allocations
        );
    }
    Ok(())
}

/// One side alone does a number of units of work.
async fn profiled(options: &Options, scenario: Scenario, units: i64) -> Result<()> {
    async fn times(mut side: impl Side, scenario: Scenario, units: i64) -> Result<()> {
        for n in 0..units {
            std::hint::black_box(side.work(scenario, n).await?);
        }
        Ok(())
    }
    let folder = tempfile::tempdir()?;
    if options.engine == Some(Engine::Postgres) {
        let server = Postgres::open(options.postgres.as_deref())?;
        let url = server.new_database("library_bench").await?;
        return match options.side {
            Sides::Raw => times(postgres::Raw::connect(&url).await?, scenario, units).await,
            Sides::Library => {
                let db = postgres::library(&url, folder.path()).await?;
                times(Library::fill(db).await?, scenario, units).await
            }
        };
    }
    match options.side {
        Sides::Raw => times(sqlite::Raw::open(&folder.path().join("raw.db"))?, scenario, units).await,
        Sides::Library => {
            let db = truststream::TrustStream::embedded(folder.path()).await?;
            times(Library::fill(db).await?, scenario, units).await
        }
    }
}

async fn compare(
    database: &str,
    options: &Options,
    raw: &mut impl Side,
    library: &mut Library,
) -> Result<Vec<Compared>> {
    let mut compared = Vec::new();
    let time = Duration::from_millis(options.milliseconds);
    for (name, scenario) in SCENARIOS {
        if options.only.is_some_and(|only| only != scenario) {
            continue;
        }
        let mut next = Turn { scenario, time, n: 0 };
        // What is compiled, cached and opened at first use is no part of the measurement.
        next.of(raw).await?;
        next.of(library).await?;
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            rounds.push((next.of(raw).await?, next.of(library).await?));
        }
        let done = Compared { database: database.to_owned(), scenario: name, rounds };
        let raw = median(done.rounds.iter().map(|round| round.0)).unwrap_or_default();
        let ours = median(done.rounds.iter().map(|round| round.1)).unwrap_or_default();
        let ratios: Vec<f64> = done.rounds.iter().map(|(raw, ours)| ours / raw).collect();
        compared.push(done);
        let (low, high) = range(ratios.iter().copied()).unwrap_or_default();
        let ratio = median(ratios).unwrap_or_default();
        println!("| {database} | {name} | {raw:.1} | {ours:.1} | {ratio:.2} | {low:.2}–{high:.2} |");
    }
    Ok(compared)
}

/// The turns of one scenario; no two units of work have the same number.
struct Turn {
    scenario: Scenario,
    time: Duration,
    n: i64,
}

impl Turn {
    /// Microseconds for a unit of work.
    async fn of(&mut self, side: &mut impl Side) -> Result<f64> {
        let began = Instant::now();
        let first = self.n;
        while began.elapsed() < self.time {
            self.n += 1;
            std::hint::black_box(side.work(self.scenario, self.n).await?);
        }
        Ok(began.elapsed().as_secs_f64() * 1e6 / (self.n - first) as f64)
    }
}

/// The library.
struct Library(truststream::TrustStream);

impl Library {
    async fn fill(db: truststream::TrustStream) -> Result<Self> {
        db.migrate("1_tracks.sql", SCHEMA).await?;
        let rows: Vec<_> = (0..ROWS).map(Track::new).collect();
        db.from("tracks").insert(&rows).await?;
        Ok(Library(db))
    }
}

impl Side for Library {
    async fn work(&mut self, scenario: Scenario, n: i64) -> Result<usize> {
        let tracks = self.0.from("tracks");
        Ok(match scenario {
            Scenario::Point => {
                let track: Track = tracks.select("id,title,plays").eq("id", n % ROWS).single().await?;
                track.title.len()
            }
            Scenario::List => {
                let list = tracks.select("id,title,plays").gte("id", n % (ROWS - LIST)).order("id");
                list.limit(50).fetch::<Track>().await?.len()
            }
            Scenario::Insert => usize::try_from(tracks.insert(&Track::new(ROWS + n)).await?)?,
        })
    }
}
