//! What it takes to understand a typical query: its text read into a value, and that value checked,
//! planned and run on an embedded database without rows, which is an upper bound of its translation.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;
use truststream::TrustStream;
use truststream_services::database::language::parse_parameters;
use truststream_services::database::{Query, Select, TableName};

use crate::data::{CHILDREN, READ_TABLE};
use crate::stats::{median, range};
use crate::{peer, results};

const PAIRS: [(&str, &str); 5] = [
    ("select", "id,name,missions(id,title,steps(id,note))"),
    ("category", "eq.coding"),
    ("or", "(score.gte.50,and(name.like.a*,created_at.gte.2025-06-01T00:00:00Z))"),
    ("order", "score.desc,name.asc"),
    ("limit", "20"),
];

/// Measure how long a typical query takes to be understood.
#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    #[arg(long, default_value_t = 200)]
    milliseconds: u64,
    /// Where the JSON goes [default: results/DATE-translate.json here]
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Microseconds a query in each round.
#[derive(Serialize)]
struct Translated {
    parsed: Vec<f64>,
    whole: Vec<f64>,
}

pub async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = TrustStream::embedded(folder.path()).await?;
    db.migrate("1_agents.sql", &(peer::migration() + CHILDREN)).await?;
    let (mut parsing, mut whole) = (Vec::new(), Vec::new());
    let long = Duration::from_millis(options.milliseconds);
    for _ in 0..options.rounds {
        let began = Instant::now();
        let mut done = 0_u32;
        while began.elapsed() < long {
            ensure!(query()?.limit == Some(20), "the query was misread");
            done += 1;
        }
        parsing.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(done));
        let began = Instant::now();
        let mut done = 0_u32;
        while began.elapsed() < long {
            let select = Select::new(TableName::public(READ_TABLE), query()?);
            ensure!(db.runtime().database().send(select).await?.rows == 0, "the table is not empty");
            done += 1;
        }
        whole.push(began.elapsed().as_secs_f64() * 1e6 / f64::from(done));
    }
    println!("| | median, µs | least – most |");
    println!("|---|---:|---:|");
    let translated = Translated { parsed: parsing, whole };
    let Translated { parsed, whole } = &translated;
    for (name, times) in [("read from its text", parsed), ("read, planned, and run without rows", whole)] {
        let (least, most) = range(times.iter().copied()).context("no rounds")?;
        let middle = median(times.iter().copied()).context("no rounds")?;
        println!("| {name} | {middle:.1} | {least:.1} – {most:.1} |");
    }
    db.close().await;
    results::write(options.json.as_ref(), "translate", &translated)
}

fn query() -> Result<Query> {
    Ok(parse_parameters(PAIRS.into_iter())?.query)
}
