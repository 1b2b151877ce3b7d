//! Bringing a run to its goal, through what goes wrong.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use tokio::time::sleep;

use crate::engine::Side;
use crate::gateway::Gateway;
use crate::schedule::{Fault, Goal, Moment, Schedule};
use crate::wire::Condition;

/// How long a run may take to come to its goal after what went wrong.
const PATIENCE: Duration = Duration::from_secs(300);

/// The step that is only there when catching up takes too long, and what makes it so.
const LIFTED: &str = "lifted";
const TOO_SLOW: Duration = Duration::from_millis(25);

/// A gateway between two sides, and what is to become of it.
pub struct Run {
    pub gateway: Gateway,
    source: Side,
    target: Side,
    schedule: Schedule,
    faulted: bool,
}

impl Run {
    pub fn new(gateway: Gateway, source: Side, target: Side, schedule: Schedule) -> Self {
        Run { gateway, source, target, schedule, faulted: false }
    }

    /// Comes to the goal.
    pub async fn through(&mut self) -> Result<()> {
        let started = Instant::now();
        match self.schedule.fault {
            Fault::CallerGone => {
                self.gateway.cli_gone(&["switch", "start", "cloud"], Duration::from_millis(40)).await?;
                self.faulted = true;
            }
            // It may end before it has answered.
            Fault::EndAt(_) => drop(self.start().await),
            _ => drop(self.start().await?),
        }
        match self.schedule.goal {
            Goal::Abort => self.give_up().await?,
            Goal::Commit => self.commit(started).await?,
            Goal::Finalize => {
                self.commit(started).await?;
                sleep(Duration::from_millis(700)).await;
                self.until("finalized", "cloud", &["switch", "finalize"]).await?;
            }
            Goal::Back => {
                self.commit(started).await?;
                sleep(Duration::from_millis(700)).await;
                self.go_back().await?;
            }
        }
        match self.schedule.fault {
            Fault::EndAt(step) if !self.faulted => bail!("the gateway did not end at {step}"),
            _ => Ok(()),
        }
    }

    async fn start(&self) -> Result<serde_json::Value> {
        if self.schedule.fault == Fault::EndAt(LIFTED) && !self.faulted {
            self.target.set_wire(Condition::Slow(TOO_SLOW))?;
            return self.gateway.switch(&["--max-pause", "100"]).await;
        }
        self.gateway.switch(&[]).await
    }

    /// Until the target serves: a switch that was given up is started again.
    async fn commit(&mut self, started: Instant) -> Result<()> {
        loop {
            self.rise().await?;
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
                Ok((phase, _)) if phase == "aborted" || phase == "none" => drop(self.start().await),
                // What could not be removed then is removed now.
                Ok((phase, _)) if phase == "aborting" && self.faulted && started.elapsed() < PATIENCE => {
                    drop(self.gateway.cli(&["switch", "abort"]).await);
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
            && !matches!(self.schedule.fault, Fault::EndAt(_))
            && match self.schedule.moment {
                Moment::After(time) => started.elapsed() >= time,
                // A phase that is over before it was seen counts as seen.
                Moment::Phase(awaited) => phase == awaited || phase == "committed",
                Moment::GoingBack(_) => false,
            }
    }

    /// Starts the gateway again if it has ended where it was to.
    async fn rise(&mut self) -> Result<()> {
        let Fault::EndAt(step) = self.schedule.fault else { return Ok(()) };
        if !self.gateway.has_ended() {
            return Ok(());
        }
        if self.faulted {
            bail!("the gateway ended again after {step}");
        }
        self.faulted = true;
        if step == LIFTED {
            self.target.set_wire(Condition::Sound)?;
        }
        self.gateway.restart().await
    }

    async fn fault(&mut self) -> Result<()> {
        self.faulted = true;
        match self.schedule.fault {
            Fault::Nothing | Fault::CallerGone | Fault::EndAt(_) => Ok(()),
            Fault::KillGateway => {
                self.gateway.kill().await?;
                self.gateway.restart().await
            }
            Fault::Freeze(time) => self.gateway.freeze(time).await,
            Fault::Clock(seconds) => self.gateway.jump(seconds),
            Fault::TargetFull(time) => {
                self.target.disk()?.fill()?;
                sleep(time).await;
                self.target.disk()?.free()
            }
            Fault::CrashTarget => crash(&mut self.target).await,
            Fault::CrashSource => crash(&mut self.source).await,
            Fault::TargetWire(condition, time) => disturb(&self.target, condition, time).await,
            Fault::SourceWire(condition, time) => disturb(&self.source, condition, time).await,
            Fault::AbortAtOnce => self.abort_at_once().await,
        }
    }

    /// Gives up as soon as it is fenced or has just committed, whichever is seen first.
    async fn abort_at_once(&self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let (phase, _) = self.gateway.standing().await?;
            if matches!(phase.as_str(), "ready" | "fencing" | "committed") {
                break;
            }
        }
        let (first, second) =
            tokio::join!(self.gateway.cli(&["switch", "abort"]), self.gateway.cli(&["switch", "abort"]));
        for refused in [first.err(), second.err()].into_iter().flatten() {
            let text = refused.to_string();
            if !text.contains("serves already") && !text.contains("no switch is running") {
                bail!("giving up was refused otherwise than in words: {text}");
            }
        }
        Ok(())
    }

    async fn give_up(&mut self) -> Result<()> {
        if let Moment::After(time) = self.schedule.moment {
            sleep(time.min(Duration::from_millis(400))).await;
        }
        self.fault_unless_by_itself().await?;
        let started = Instant::now();
        loop {
            self.rise().await?;
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

    async fn fault_unless_by_itself(&mut self) -> Result<()> {
        if matches!(self.schedule.fault, Fault::EndAt(_)) { Ok(()) } else { self.fault().await }
    }

    async fn go_back(&mut self) -> Result<()> {
        if let (Moment::GoingBack(time), false) = (self.schedule.moment, self.faulted) {
            self.gateway.cli_gone(&["switch", "back"], time).await?;
            self.fault_unless_by_itself().await?;
        }
        self.until("rolled_back", "main", &["switch", "back"]).await
    }

    /// Asks for something until the switch stands there.
    async fn until(&mut self, phase: &str, owner: &str, command: &[&str]) -> Result<()> {
        let started = Instant::now();
        loop {
            self.rise().await?;
            let failed = match self.gateway.standing().await {
                Ok((stands, owns)) if stands == phase && owns == owner => return Ok(()),
                Ok(_) => self.gateway.cli(command).await.err(),
                Err(error) => Some(error),
            };
            if started.elapsed() > PATIENCE {
                let failed = failed.unwrap_or_else(|| anyhow!("it did not come to be {phase}"));
                return Err(failed).context(command.join(" "));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Crashes the server of a side, if it has one, and lets it recover.
async fn crash(side: &mut Side) -> Result<()> {
    let Some(server) = side.server() else { bail!("there is no server to crash") };
    server.crash()?;
    sleep(Duration::from_millis(500)).await;
    server.restart()?;
    Ok(())
}

async fn disturb(side: &Side, condition: Condition, time: Duration) -> Result<()> {
    side.set_wire(condition)?;
    sleep(time).await;
    side.set_wire(Condition::Sound)
}
