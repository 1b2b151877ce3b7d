//! One run: a workload, a switch, a fault, and the judgement.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::api::Api;
use crate::check::{Violation, check};
use crate::engine::{Engine, Side};
use crate::gateway::{Gateway, Subject};
use crate::history::History;
use crate::schedule::{Fault, Goal, Moment, Schedule};
use crate::workload::{Load, MIGRATION, Workload, prepare, read_state};

/// How long a run may take to come to its goal after what went wrong.
const PATIENCE: Duration = Duration::from_secs(90);

/// What came of a run.
pub struct Verdict {
    pub operations: usize,
    pub failed: usize,
    /// The longest time that a client waited for a write.
    pub longest_write: Duration,
    pub took: Duration,
    pub violations: Vec<Violation>,
    /// The end of the gateway's log, for runs that went wrong.
    pub log: String,
}

struct Run {
    gateway: Gateway,
    source: Side,
    target: Side,
    schedule: Schedule,
    faulted: bool,
}

/// Runs a schedule between two engines and judges what clients saw.
pub async fn run(
    subject: Subject<'_>,
    pair: (Engine, Engine),
    schedule: Schedule,
    load: Load,
    seed: u64,
) -> Result<Verdict> {
    let began = Instant::now();
    let (source, target) = (Side::start("main", pair.0)?, Side::start("cloud", pair.1)?);
    let settings = format!("active = \"main\"\n\n{}{}", source.settings(), target.settings());
    let gateway = Gateway::start(subject, &settings, MIGRATION).await?;
    let api = Api::new(&gateway.url(), &gateway.service_key)?;
    prepare(&api, load).await?;
    let workload =
        Workload::start(&gateway.url(), &gateway.service_key, &gateway.anon_key, load, seed).await?;
    let mut run = Run { gateway, source, target, schedule, faulted: false };
    sleep(Duration::from_millis(500)).await;
    let came = run.through().await;
    sleep(Duration::from_millis(500)).await;
    let history = workload.finish().await?;
    let log = run.gateway.log();
    came.with_context(|| format!("the run did not come to its goal; its log ends with\n{log}"))?;
    let end = read_state(&api, load.clients).await?;
    let mut violations = check(&history, &end);
    let failed =
        history.operations.iter().filter_map(|operation| operation.failure().map(|why| (operation, why)));
    let failed: Vec<_> = failed.collect();
    if !schedule.may_fail() {
        violations.extend(failed.iter().map(|(operation, why)| Violation {
            rule: "failed",
            what: format!(
                "client {}: {:?} at {:?}: {why}",
                operation.client, operation.action, operation.began
            ),
        }));
    }
    let longest_write = longest_write(&history);
    Ok(Verdict {
        operations: history.operations.len(),
        failed: failed.len(),
        longest_write,
        took: began.elapsed(),
        violations,
        log,
    })
}

fn longest_write(history: &History) -> Duration {
    let writes = history.operations.iter().filter(|operation| operation.is_write());
    writes.map(|operation| operation.ended - operation.began).max().unwrap_or_default()
}

impl Run {
    async fn through(&mut self) -> Result<()> {
        let started = Instant::now();
        if self.schedule.fault == Fault::CallerGone {
            self.gateway.cli_gone(&["switch", "start", "cloud"], Duration::from_millis(40)).await?;
            self.faulted = true;
        } else {
            self.gateway.switch().await?;
        }
        if self.schedule.goal == Goal::Abort {
            return self.give_up().await;
        }
        self.commit(started).await?;
        if self.schedule.goal == Goal::Commit {
            return Ok(());
        }
        sleep(Duration::from_millis(700)).await;
        self.go_back().await
    }

    /// Until the target serves: a switch that was given up is started again.
    async fn commit(&mut self, started: Instant) -> Result<()> {
        loop {
            let standing = self.gateway.standing().await;
            if let Ok((phase, _)) = &standing
                && self.is_due(started, phase)
            {
                self.fault().await?;
                continue;
            }
            match standing {
                Ok((phase, owner)) if phase == "committed" && owner == "cloud" => return Ok(()),
                // It may be that it was never heard, or that it was given up.
                Ok((phase, _)) if phase == "aborted" || phase == "none" => {
                    let _ = self.gateway.switch().await;
                }
                Ok(_) | Err(_) if started.elapsed() < PATIENCE => {}
                Ok((phase, owner)) => bail!("still {phase}, {owner} serves"),
                Err(error) => return Err(error),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    fn is_due(&self, started: Instant, phase: &str) -> bool {
        !self.faulted
            && match self.schedule.moment {
                Moment::After(time) => started.elapsed() >= time,
                // A phase that is over before it was seen counts as seen.
                Moment::Phase(awaited) => phase == awaited || phase == "committed",
                Moment::GoingBack(_) => false,
            }
    }

    async fn fault(&mut self) -> Result<()> {
        self.faulted = true;
        match self.schedule.fault {
            Fault::Nothing | Fault::CallerGone => Ok(()),
            Fault::KillGateway => {
                self.gateway.kill().await?;
                self.gateway.restart().await
            }
            Fault::Freeze(time) => self.gateway.freeze(time).await,
            Fault::CrashTarget => crash(&mut self.target).await,
            Fault::CrashSource => crash(&mut self.source).await,
        }
    }

    async fn give_up(&mut self) -> Result<()> {
        if let Moment::After(time) = self.schedule.moment {
            sleep(time.min(Duration::from_millis(400))).await;
        }
        self.fault().await?;
        let started = Instant::now();
        loop {
            match self.gateway.standing().await {
                Ok((phase, owner)) if phase == "aborted" && owner == "main" => return Ok(()),
                // It was faster than we are.
                Ok((phase, _)) if phase == "committed" => return Ok(()),
                _ if started.elapsed() > PATIENCE => bail!("it could not be given up"),
                _ => drop(self.gateway.cli(&["switch", "abort"]).await),
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn go_back(&mut self) -> Result<()> {
        let started = Instant::now();
        if let (Moment::GoingBack(time), false) = (self.schedule.moment, self.faulted) {
            self.gateway.cli_gone(&["switch", "back"], time).await?;
            self.fault().await?;
        }
        loop {
            let failed = match self.gateway.standing().await {
                Ok((phase, owner)) if phase == "rolled_back" && owner == "main" => return Ok(()),
                Ok(_) => self.gateway.cli(&["switch", "back"]).await.err(),
                Err(error) => Some(error),
            };
            if started.elapsed() > PATIENCE {
                return Err(failed.unwrap_or_else(|| anyhow::anyhow!("it did not go back")));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Crashes the server of a side, if it has one, and lets it recover.
async fn crash(side: &mut Side) -> Result<()> {
    if let Some(server) = side.server() {
        server.crash()?;
        sleep(Duration::from_millis(500)).await;
        server.restart()?;
    }
    Ok(())
}
