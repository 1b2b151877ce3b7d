//! A fleet that loses the backend that serves, and what it says that this cost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value as Json;
use tokio::time::sleep;

use super::schedule::Fault;
use super::{Fleet, PATIENCE};
use crate::check::Told;
use crate::wire::Condition;

/// What makes the second side a mirror, which takes over soon.
pub(super) const SETTINGS: &str = "
[backend.main.mirror]
to = \"cloud\"
failover = \"2s\"

[health]
interval = \"250ms\"
timeout = \"10s\"
latency = \"10s\"
";

/// How exactly it is known when a backend answered last, and time for what was under way then.
const SLACK: Duration = Duration::from_millis(1_500);

impl Fleet {
    /// Loses the backend that serves once its mirror has been compared. Returns what the fleet says of
    /// it; times are since the workload began, which was at `wall` milliseconds since 1970.
    pub(super) async fn through_failover(&mut self, wall: u64) -> Result<Told> {
        let verified = |status: &Json| status["mirror"]["verified"] == true;
        self.until("the mirror is in sync", verified).await?;
        sleep(self.schedule.after).await;
        let leader = self.standing().await?.leader.unwrap_or_default();
        let dies = self.schedule.fault == Fault::LoseMain { with_leader: true };
        match self.schedule.fault {
            Fault::LoseMain { .. } => self.sides.0.server().context("a server to lose")?.crash()?,
            _ => self.sides.0.set_wire(Condition::Cut)?,
        }
        self.faulted = true;
        if dies {
            self.members[leader].gateway.kill().await?;
        }
        let status = self.until("the mirror serves", |status| status["route"]["owner"] == "cloud").await?;
        if dies {
            self.members[leader].gateway.restart().await?;
        }
        sleep(SLACK).await;
        self.settle().await?;
        self.told(&status, wall)
    }

    fn told(&self, status: &Json, wall: u64) -> Result<Told> {
        let report = &status["failover"];
        let number = |name: &str| report[name].as_f64().with_context(|| format!("no {name} in {report}"));
        let at = number("at_ms")? - wall as f64;
        let loss = &report["loss"];
        let (writes, ms) = (loss["writes"].as_u64(), loss["ms"].as_f64());
        let (writes, ms) = (writes.context("no bound of writes")?, ms.context("no bound of time")?);
        let from = at - number("took_ms")? - number("down_ms")? - ms;
        let mut members = self.members.iter().map(|member| &member.gateway);
        let decider = members.position(|gateway| gateway.has_logged("failed over to the mirror"));
        let time = |ms: f64| Duration::from_secs_f64(ms.max(0.0) / 1_000.0);
        Ok(Told {
            from: time(from).saturating_sub(SLACK),
            until: time(at) + SLACK,
            writes,
            decider: decider.context("nobody says that it failed over")?,
            gateways: self.members.len(),
        })
    }

    /// Until any gateway says so.
    async fn until(&self, what: &str, holds: impl Fn(&Json) -> bool) -> Result<Json> {
        let started = Instant::now();
        loop {
            for member in &self.members {
                if let Ok(status) = member.gateway.cli(&["status"]).await
                    && holds(&status)
                {
                    return Ok(status);
                }
            }
            if started.elapsed() > PATIENCE {
                bail!("it never came to be that {what}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}
