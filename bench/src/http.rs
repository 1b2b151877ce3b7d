//! TrustStream's gateway against its peers over HTTP.

mod calm;
pub mod client;
pub mod dialect;
mod load;
pub mod scenario;
mod stand;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::data::Dataset;
use crate::report::{Failed, Measured, Report};
use crate::server::{Mongo, Postgres};
use crate::{install, peer, results};
use load::Effort;
pub use load::Sample;
pub use scenario::Scenario;
use stand::Stand;

/// Unless said otherwise.
const CONNECTIONS: usize = 32;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// TrustStream's binary
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/truststream"))]
    pub truststream: PathBuf,
    /// A truststream.toml for its project, instead of none: to measure other settings than the defaults
    #[arg(long)]
    pub truststream_config: Option<PathBuf>,
    /// Rows loaded into each peer
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub rows: u64,
    /// Connections, each with one request under way
    #[arg(long, default_value_t = CONNECTIONS)]
    pub connections: usize,
    /// Measured seconds of each scenario, on each peer, in each round
    #[arg(long, default_value_t = 3.0)]
    pub seconds: f64,
    /// Seconds of the same load before measuring
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
    /// Rounds; in each, every scenario goes over every peer, whose order rotates
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// On a busy machine: before each stretch and start wait (a minute at most) until everything else uses
    /// fewer cores than this, and take a stretch again (three times at most) when something else used more while it ran
    #[arg(long)]
    pub calm: Option<f64>,
    /// Measured starts of each peer on its loaded data
    #[arg(long, default_value_t = 5)]
    pub starts: usize,
    /// Measure only the peers whose name contains one of these
    #[arg(long)]
    pub only: Vec<String>,
    /// Only these scenarios [default: all]
    #[arg(long)]
    pub scenario: Vec<Scenario>,
    /// The PostgreSQL server, as `postgres://user@host:port`, on which peers make a database each
    /// [default: one of this run's own, in a temporary folder]
    #[arg(long)]
    pub postgres: Option<String>,
    /// The server that speaks MongoDB's protocol; `--only mongodb` without one starts SecantusDB
    #[arg(long)]
    pub mongodb: Option<String>,
    /// Where peers are installed, once
    #[arg(long)]
    pub cache: Option<PathBuf>,
    /// Where the peers' data goes during the run [default: the system's temporary folder]
    #[arg(long)]
    pub work: Option<PathBuf>,
    /// Where the JSON goes [default: results/DATE-http.json here]
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// Prepares the peers, measures the rounds, prints markdown and writes JSON.
pub async fn run(options: &Options) -> Result<()> {
    let data = Arc::new(Dataset::of(usize::try_from(options.rows)?));
    allow_files(options.connections)?;
    let mut failed = Vec::new();
    let mut stands = Vec::new();
    let mut servers = Servers::default();
    for peer in chosen(options, &mut servers, &mut failed).await {
        let name = peer.name();
        eprintln!("preparing {name}");
        match Stand::prepare(peer, &data, options).await {
            Ok(stand) => stands.push((stand, BTreeMap::new())),
            Err(error) => failed.push(Failed::new(name, &error)),
        }
    }
    rounds(&mut stands, &mut failed, &data, options).await;

    let mut measured = Vec::new();
    for (stand, samples) in stands {
        let peer = stand.peer();
        measured.push(Measured {
            name: peer.name(),
            engine: peer.engine(),
            settings: peer.settings(),
            version: stand.version.clone(),
            start_ms: stand.start_ms.clone(),
            idle_resident: stand.idle_resident,
            samples,
        });
        stand.stop().await?;
    }
    ensure!(!measured.is_empty(), "no peer could be measured");
    let report = Report::new(options, measured, failed);
    println!("{}", report.markdown());
    let name = match options.connections {
        CONNECTIONS => "http".to_owned(),
        other => format!("http-{other}"),
    };
    results::write(options.json.as_ref(), &name, &report)
}

/// As many connections as asked for need as many files, here and in the servers started from here.
fn allow_files(connections: usize) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = 4 * connections as u64 + 1_000;
    if limit.current.is_some_and(|current| current < wanted) {
        let current = Some(limit.maximum.map_or(wanted, |maximum| wanted.min(maximum)));
        setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum })
            .context("raising the limit of files")?;
    }
    Ok(())
}

/// The servers that peers share, as long as the run takes.
#[derive(Default)]
struct Servers {
    postgres: Option<Postgres>,
    mongo: Option<Mongo>,
}

/// The peers that `--only` lets through, with the servers that they need.
async fn chosen(
    options: &Options,
    servers: &mut Servers,
    failed: &mut Vec<Failed>,
) -> Vec<Box<dyn peer::Peer>> {
    let cache = options.cache.clone().unwrap_or_else(install::default_cache);
    let wanted = |mut peers: Vec<Box<dyn peer::Peer>>| {
        peers.retain(|peer| {
            let name = peer.name().to_lowercase();
            options.only.is_empty() || options.only.iter().any(|only| name.contains(&only.to_lowercase()))
        });
        peers
    };
    let truststream = peer::TrustStream::new(options.truststream.clone(), options.truststream_config.clone());
    let mut peers = wanted(peer::all(truststream, &cache));
    let on_postgres =
        |url: &dyn Fn(&str) -> String| wanted(peer::on_postgres(&options.truststream, &cache, url));
    if !on_postgres(&str::to_owned).is_empty() {
        match databases(options.postgres.as_deref()).await {
            Ok(server) => {
                peers.extend(on_postgres(&|name| server.url(name)));
                servers.postgres = Some(server);
            }
            Err(error) => failed.push(Failed::new("PostgreSQL", &error)),
        }
    }
    let on_mongo = |url: &str| wanted(peer::on_mongo(&options.truststream, url));
    // The server that can be started here takes long to load: only for who asks for it.
    let asked =
        options.mongodb.is_some() || options.only.iter().any(|only| only.eq_ignore_ascii_case("mongodb"));
    if asked && !on_mongo("").is_empty() {
        match Mongo::open(options.mongodb.as_deref()) {
            Ok(server) => {
                peers.extend(on_mongo(server.url()));
                servers.mongo = Some(server);
            }
            Err(error) => failed.push(Failed::new("MongoDB", &error)),
        }
    }
    peers
}

/// A server with an empty database for each of its peers.
async fn databases(url: Option<&str>) -> Result<Postgres> {
    let server = Postgres::open(url)?;
    for name in peer::DATABASES {
        server.new_database(name).await?;
    }
    Ok(server)
}

/// A stand and what was measured on it, by scenario, a sample a round.
type Trials = (Stand, BTreeMap<&'static str, Vec<Sample>>);

/// Measures all rounds. A peer that fails leaves the run; the others go on.
async fn rounds(stands: &mut Vec<Trials>, failed: &mut Vec<Failed>, data: &Arc<Dataset>, options: &Options) {
    let effort = Effort {
        connections: options.connections,
        warm_up: Duration::from_secs_f64(options.warm_up),
        measured: Duration::from_secs_f64(options.seconds),
    };
    let mut stretch = 0;
    for round in 0..options.rounds {
        for scenario in Scenario::ALL {
            if !options.scenario.is_empty() && !options.scenario.contains(&scenario) {
                continue;
            }
            stretch += 1;
            eprintln!("round {} of {}: {}", round + 1, options.rounds, scenario.key());
            let mut ended = Vec::new();
            for turn in 0..stands.len() {
                let at = (turn + round) % stands.len();
                let (stand, samples) = &mut stands[at];
                if !stand.peer().answers(scenario) {
                    continue;
                }
                match calm::measure(stand, scenario, data, stretch, effort, options.calm).await {
                    Ok(sample) => samples.entry(scenario.key()).or_default().push(sample),
                    Err(error) => {
                        failed.push(Failed::new(stand.peer().name(), &error));
                        ended.push(at);
                    }
                }
            }
            ended.sort_unstable();
            for at in ended.into_iter().rev() {
                stands.remove(at);
            }
        }
    }
}
