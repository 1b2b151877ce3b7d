//! Closed-loop load: each connection sends its next request when the last reply is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant as TokioInstant;

use super::client::Connection;
use super::scenario::{Ask, Scenario, verify};
use crate::data::{Dataset, READ_TABLE, children};
use crate::peer::Target;
use crate::process::{Server, Usage, machine_cpu_seconds, own_usage, usage};

const LONGEST_MICROS: u64 = 60_000_000;

/// How hard and how long.
#[derive(Clone, Copy)]
pub struct Effort {
    pub connections: usize,
    pub warm_up: Duration,
    pub measured: Duration,
}

/// One measured stretch of one scenario on one peer.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub requests: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    pub reply_bytes: u64,
    /// CPU time of the server for each request: what a busy machine distorts least.
    pub server_cpu_us: f64,
    /// Cores that the server, this client, and everything else on the machine kept busy.
    pub server_cores: f64,
    pub client_cores: f64,
    pub other_cores: f64,
    /// The most memory seen resident, sampled ten times a second.
    pub peak_resident: u64,
}

/// What the connections of one stretch share.
struct Stretch {
    target: Target,
    scenario: Scenario,
    data: Arc<Dataset>,
    next: AtomicU64,
    starts: Instant,
    ends: Instant,
}

/// What one connection counted between the start and the end of the stretch.
struct Tally {
    micros: Histogram<u64>,
    errors: u64,
    first_error: Option<String>,
    reply_bytes: u64,
}

/// Runs `scenario`, its requests numbered from `first`.
pub async fn measure(
    target: &Target,
    server: &Server,
    scenario: Scenario,
    data: &Arc<Dataset>,
    first: u64,
    effort: Effort,
) -> Result<Sample> {
    let processes = server.processes();
    let starts = Instant::now() + effort.warm_up;
    let stretch = Arc::new(Stretch {
        target: target.clone(),
        scenario,
        data: Arc::clone(data),
        next: AtomicU64::new(first),
        starts,
        ends: starts + effort.measured,
    });
    let mut connections = JoinSet::new();
    for _ in 0..effort.connections {
        connections.spawn(drive(Arc::clone(&stretch)));
    }
    let spent = watch(&stretch, &processes).await;
    let mut total = Tally::new()?;
    while let Some(tally) = connections.join_next().await {
        total.add(tally.context("a connection's task failed")??)?;
    }
    Ok(total.sample(effort.measured, &spent))
}

/// CPU seconds spent between the start and the end, and the peak of memory.
struct Spent {
    server: f64,
    client: f64,
    machine: f64,
    peak_resident: u64,
}

async fn watch(stretch: &Stretch, processes: &[u32]) -> Spent {
    let now = || (usage(processes), own_usage(), machine_cpu_seconds());
    tokio::time::sleep_until(TokioInstant::from_std(stretch.starts)).await;
    let before: (Usage, Usage, f64) = now();
    let mut peak_resident = before.0.resident;
    while Instant::now() < stretch.ends {
        let step = Instant::now() + Duration::from_millis(100);
        tokio::time::sleep_until(TokioInstant::from_std(step.min(stretch.ends))).await;
        peak_resident = peak_resident.max(usage(processes).resident);
    }
    let after = now();
    Spent {
        server: after.0.cpu_seconds - before.0.cpu_seconds,
        client: after.1.cpu_seconds - before.1.cpu_seconds,
        machine: after.2 - before.2,
        peak_resident,
    }
}

async fn drive(stretch: Arc<Stretch>) -> Result<Tally> {
    let mut tally = Tally::new()?;
    let mut connection = Connection::open(stretch.target.address).await.context("connecting")?;
    let mut request = Vec::with_capacity(1024);
    loop {
        let n = stretch.next.fetch_add(1, Ordering::Relaxed);
        stretch.target.dialect.write(&stretch.scenario.ask(n, &stretch.data), &mut request);
        let sent = Instant::now();
        if sent >= stretch.ends {
            return Ok(tally);
        }
        let outcome = connection.ask(&request).await;
        let done = Instant::now();
        let broken = outcome.is_err();
        if (stretch.starts..stretch.ends).contains(&done) {
            match outcome {
                Ok(reply)
                    if stretch.scenario.plausible(&stretch.target.dialect, reply.status, reply.body) =>
                {
                    tally.reply_bytes += reply.body.len() as u64;
                    tally.micros.saturating_record((done - sent).as_micros() as u64);
                }
                Ok(reply) => tally.fail(format!("{}: {}", reply.status, beginning(reply.body))),
                Err(error) => tally.fail(format!("{error:#}")),
            }
        }
        if broken {
            connection = Connection::open(stretch.target.address).await.context("reconnecting")?;
        }
    }
}

impl Tally {
    fn new() -> Result<Self> {
        let micros = Histogram::new_with_bounds(1, LONGEST_MICROS, 3).context("making a histogram")?;
        Ok(Self { micros, errors: 0, first_error: None, reply_bytes: 0 })
    }

    fn fail(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }

    fn add(&mut self, other: Self) -> Result<()> {
        self.micros.add(other.micros).context("adding histograms")?;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.reply_bytes += other.reply_bytes;
        Ok(())
    }

    fn sample(self, measured: Duration, spent: &Spent) -> Sample {
        let seconds = measured.as_secs_f64();
        let requests = self.micros.len();
        let each = requests.max(1) as f64;
        let ms = |quantile| self.micros.value_at_quantile(quantile) as f64 / 1_000.0;
        Sample {
            requests,
            errors: self.errors,
            per_second: requests as f64 / seconds,
            p50_ms: ms(0.50),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
            reply_bytes: self.reply_bytes / requests.max(1),
            server_cpu_us: spent.server * 1e6 / each,
            server_cores: spent.server / seconds,
            client_cores: spent.client / seconds,
            other_cores: (spent.machine - spent.server - spent.client).max(0.0) / seconds,
            peak_resident: spent.peak_resident,
            first_error: self.first_error,
        }
    }
}

/// Loads all rows through the public API, one at a time on each connection: the same way on every peer.
pub async fn fill(target: &Target, data: &Arc<Dataset>, connections: usize) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut loaders = JoinSet::new();
    for _ in 0..connections {
        let (target, data, next) = (target.clone(), Arc::clone(data), Arc::clone(&next));
        loaders.spawn(async move {
            let mut connection = Connection::open(target.address).await?;
            let mut request = Vec::new();
            while let Some(row) = data.rows().get(next.fetch_add(1, Ordering::Relaxed)) {
                target.dialect.write(&Ask::Insert { table: READ_TABLE, row: row.clone() }, &mut request);
                let reply = connection.ask(&request).await?;
                let loaded = (200..300).contains(&reply.status);
                ensure!(loaded, "loading a row: {} {}", reply.status, beginning(reply.body));
            }
            anyhow::Ok(())
        });
    }
    while let Some(loader) = loaders.join_next().await {
        loader.context("a loader's task failed")??;
    }
    Ok(())
}

/// Loads what is below the rows, in batches.
pub async fn fill_children(target: &Target, data: &Dataset) -> Result<()> {
    let mut connection = Connection::open(target.address).await?;
    let mut request = Vec::new();
    for agents in data.rows().chunks(100) {
        for (table, rows) in children(agents) {
            target.dialect.write(&Ask::Children { table, rows }, &mut request);
            let reply = connection.ask(&request).await?;
            let loaded = (200..300).contains(&reply.status);
            ensure!(loaded, "loading {table}: {} {}", reply.status, beginning(reply.body));
        }
    }
    Ok(())
}

/// Asks once and checks the answer in full.
pub async fn ask_and_verify(target: &Target, ask: &Ask<'_>, data: &Dataset) -> Result<()> {
    let mut request = Vec::new();
    target.dialect.write(ask, &mut request);
    let mut connection = Connection::open(target.address).await?;
    let reply = connection.ask(&request).await?;
    let good = (200..300).contains(&reply.status);
    ensure!(good, "{}: {}", reply.status, beginning(reply.body));
    verify(ask, data, &target.dialect, reply.body)
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
