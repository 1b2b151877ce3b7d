//! A peer on its stand: installed, laid out in a temporary folder, started, loaded, checked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::load::{Effort, Sample, ask_and_verify, fill, fill_children, measure};
use super::scenario::{Ask, Scenario};
use super::{Options, calm};
use crate::data::{CATEGORIES, Dataset};
use crate::peer::{Peer, Target};
use crate::process::{Server, free_address, usage};

const LONGEST_START: Duration = Duration::from_secs(30);
/// How long a started server is left alone before its idle memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// How many requests of each scenario are checked in full before anything is measured.
const CHECKED: u64 = 5;

/// A loaded, running peer, and what its preparation measured.
pub struct Stand {
    peer: Box<dyn Peer>,
    address: SocketAddr,
    running: Running,
    pub version: String,
    pub start_ms: Vec<f64>,
    pub idle_resident: u64,
    // Last, so that the server ends before its folder goes.
    folder: TempDir,
}

struct Running {
    server: Server,
    target: Target,
    /// From starting the process to its first good reply.
    took: Duration,
}

impl Stand {
    /// Installs, lays out, starts, loads and checks `peer`; then starts it again, measured, on the loaded data.
    pub async fn prepare(mut peer: Box<dyn Peer>, data: &Arc<Dataset>, options: &Options) -> Result<Self> {
        let version = peer.install().context("installing")?;
        let folder = match &options.work {
            Some(work) => TempDir::new_in(work),
            None => TempDir::new(),
        };
        let folder = folder.context("making its folder")?;
        let address = free_address()?;
        peer.lay_out(folder.path(), address).context("laying out its project")?;

        let empty = Dataset::default();
        let running = start(&*peer, folder.path(), address, &empty).await.context("starting")?;
        fill(&running.target, data, options.connections).await.context("loading")?;
        if peer.embeds() {
            fill_children(&running.target, data).await.context("loading what is below the rows")?;
        }
        check(&*peer, &running.target, data).await?;

        let mut stand =
            Self { peer, address, running, version, start_ms: Vec::new(), idle_resident: 0, folder };
        for _ in 0..options.starts {
            calm::wait(options.calm).await;
            stand = stand.start_again(data).await.context("starting again")?;
            stand.start_ms.push(stand.running.took.as_secs_f64() * 1_000.0);
        }
        tokio::time::sleep(SETTLE).await;
        stand.idle_resident = usage(&stand.running.server.processes()).resident;
        Ok(stand)
    }

    /// The peer.
    pub fn peer(&self) -> &dyn Peer {
        &*self.peer
    }

    /// Measures one stretch, its requests numbered from `first`.
    pub async fn measure(
        &mut self,
        scenario: Scenario,
        data: &Arc<Dataset>,
        first: u64,
        effort: Effort,
    ) -> Result<Sample> {
        let Running { server, target, .. } = &self.running;
        let sample = measure(target, server, scenario, data, first, effort).await;
        match self.running.server.ended() {
            Some(status) => bail!("it ended under load ({status}): {}", tail(self.folder.path())),
            None => sample,
        }
    }

    /// Ends the server.
    pub async fn stop(self) -> Result<()> {
        self.running.server.stop().await
    }

    async fn start_again(mut self, data: &Dataset) -> Result<Self> {
        self.running.server.stop().await?;
        self.running = start(&*self.peer, self.folder.path(), self.address, data).await?;
        Ok(self)
    }
}

/// Starts the server and asks, again and again, until it answers rightly for the rows it should hold.
async fn start(peer: &dyn Peer, folder: &Path, address: SocketAddr, data: &Dataset) -> Result<Running> {
    let began = Instant::now();
    let log = folder.join("server.log");
    let (mut server, announcement) =
        match Server::start(peer.serve(folder, address), &log, peer.announces()).await {
            Ok(started) => started,
            Err(error) => return Err(error.context(tail(folder))),
        };
    let target = peer.target(address, announcement.as_deref())?;
    loop {
        let Err(error) = ask_and_verify(&target, &Ask::Top(CATEGORIES[0]), data).await else {
            return Ok(Running { server, target, took: began.elapsed() });
        };
        if let Some(status) = server.ended() {
            bail!("it ended ({status}): {}", tail(folder));
        }
        if began.elapsed() > LONGEST_START {
            return Err(error.context(format!("no good reply within {} s", LONGEST_START.as_secs())));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The same requests as in the measurement, answers checked in full: a fast wrong answer is worth nothing.
async fn check(peer: &dyn Peer, target: &Target, data: &Dataset) -> Result<()> {
    for scenario in Scenario::ALL.into_iter().filter(|scenario| peer.answers(*scenario)) {
        for n in 0..CHECKED {
            let checked = ask_and_verify(target, &scenario.ask(n, data), data).await;
            checked.with_context(|| format!("a wrong answer to {}", scenario.key()))?;
        }
    }
    Ok(())
}

/// The end of the server's log, on one line.
fn tail(folder: &Path) -> String {
    let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().rev().filter(|line| !line.trim().is_empty()).take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
