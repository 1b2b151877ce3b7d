//! The mirror takes the place of a backend that is lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use truststream_kernel::{Error, ErrorKind, Outcome, Result};
use truststream_services::database::{Applied, AppliedPosition, Apply, Capture, Position, Prepare};

use super::Mirrors;
use super::returned::Returned;
use super::status::{MirrorPhase, MirrorStatus, millis};
use crate::ambient::now_ms;
use crate::follow::unsealed;
use crate::machine::{Act, Event, Hold};
use crate::routes::Leader;
use crate::{Record, Side};

const FAILOVERS: &str = "failover/";

/// How long writes that are in flight are waited for: they go to a backend that does not answer.
const DRAIN: Duration = Duration::from_millis(200);

/// How long a fence stands if whoever set it is gone.
const FENCE: Duration = Duration::from_secs(10);

/// Code of the error of a process that may not decide.
pub const LED_ELSEWHERE: &str = "BACKEND_019";

/// How often it is tried to be the last that applies to the mirror.
const SEALS: u32 = 20;

/// What a failover did, and what it may have cost.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailoverReport {
    /// Its number, from 1.
    pub id: u64,
    /// The backend that was lost.
    pub from: String,
    /// The one that serves since.
    pub to: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Why.
    pub reason: String,
    /// How long the backend had not answered, in milliseconds.
    pub down_ms: u64,
    /// How long the failover itself took, in milliseconds.
    pub took_ms: f64,
    /// What was acknowledged and may be lost, at most.
    pub loss: Loss,
    /// What was found of it when the lost backend came back.
    #[serde(default)]
    pub returned: Option<Returned>,
}

/// A failover as it is stored: what is told of it, and what goes on from it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failover {
    /// What is told of it.
    #[serde(flatten)]
    pub report: FailoverReport,
    /// The reign that began with it.
    pub reign: u64,
    /// The mirror that took over.
    pub mirror: Record,
    /// The last position of the lost backend's feed that the mirror holds.
    pub end: Position,
    /// Where the new owner's own changes begin.
    pub start: Position,
}

/// What a failover would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// The backend that serves.
    pub from: String,
    /// The one that would.
    pub to: String,
    /// What would be lost at most, if the first one can't be read any more.
    pub loss: Loss,
}

/// A bound of what may be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Writes that this process acknowledged after the mirror was last known to hold everything.
    pub writes: u64,
    /// Time between that moment and the last answer of the lost backend, in milliseconds: what it
    /// took from whomever in that time may be lost.
    pub ms: u64,
}

impl Mirrors {
    /// Makes the mirror the backend that serves. `answered` is when the lost one was last known to
    /// answer, in milliseconds since 1970; `down` how long it has not.
    ///
    /// # Errors
    /// `BACKEND_009` when the mirror is not fit; `BACKEND_011` when a committed switch or a cut-over
    /// is in the way; whatever keeps the mirror from serving. Nothing has changed then.
    pub async fn fail_over(
        &self,
        reason: &str,
        answered: Option<u64>,
        down: Duration,
    ) -> Result<FailoverReport> {
        self.must_lead().await?;
        let status = self.fit_status().await?;
        let began = Instant::now();
        // Whatever it was in the middle of: the seal makes an end of it.
        self.close().await;
        let failed = self.take_over(&status, reason).await;
        let mut failover = match failed {
            Ok(failover) => failover,
            Err(error) => {
                self.restart();
                return Err(error);
            }
        };
        // Counted after the route has changed: nothing of the lost backend is acknowledged any more.
        let report = &mut failover.report;
        report.loss = self.loss(&status, answered);
        report.down_ms = millis(down);
        report.took_ms = began.elapsed().as_secs_f64() * 1000.0;
        let Loss { writes, ms } = report.loss;
        tracing::error!(
            from = report.from,
            to = report.to,
            reason,
            lost_writes_at_most = writes,
            lost_ms_at_most = ms,
            took_ms = report.took_ms,
            "failed over to the mirror"
        );
        if let Err(error) = self.store(&failover).await {
            tracing::error!(?error, "the failover is in force, but its report is not stored");
        }
        self.restart();
        Ok(failover.report)
    }

    /// Whether this process may decide about a failover at this moment.
    pub fn leads(&self) -> bool {
        self.shared.routes.leads()
    }

    /// # Errors
    /// `BACKEND_019` if another process of a fleet leads: it alone decides, so that two never do.
    async fn must_lead(&self) -> Result<()> {
        match self.shared.routes.lead().await? {
            Leader::Here | Leader::New => Ok(()),
            Leader::Other(_) => {
                let message = "another gateway leads, and decides whether a mirror takes over";
                Err(Error::new(ErrorKind::Conflict, LED_ELSEWHERE, message)
                    .with_hint("`truststream status` tells which one leads; ask that one"))
            }
        }
    }

    /// What a failover at this moment would do and cost; changes nothing.
    ///
    /// # Errors
    /// `BACKEND_009` when the mirror is not fit.
    pub async fn foresee(&self) -> Result<Foreseen> {
        let status = self.fit_status().await?;
        let loss = self.loss(&status, None);
        Ok(Foreseen { from: status.from, to: status.to, loss })
    }

    /// All failovers, the latest last.
    ///
    /// # Errors
    /// When the control store does not answer.
    pub async fn failovers(&self) -> Result<Vec<Failover>> {
        let stored = self.control.list(FAILOVERS).await?.into_iter();
        let read = |entry: crate::Entry| {
            serde_json::from_value(entry.value)
                .map_err(|error| Error::internal("a stored failover can't be read").with_source(error))
        };
        stored.map(|(_, entry)| read(entry)).collect()
    }

    pub(super) async fn store(&self, failover: &Failover) -> Result<()> {
        let key = format!("{FAILOVERS}{:010}", failover.report.id);
        let version = self.control.get(&key).await?.map_or(0, |entry| entry.version);
        let value = serde_json::to_value(failover)
            .map_err(|error| Error::internal("the failover can't be stored").with_source(error))?;
        self.control.put(&key, value, version).await
    }

    /// How a mirror stands that may take over. Who leads only since the backend was lost could not follow
    /// with it, and knows of it what is stored.
    async fn fit_status(&self) -> Result<MirrorStatus> {
        let known = self.status.borrow().clone().filter(MirrorStatus::is_fit);
        let known = if known.is_some() { known } else { self.stored_status().await? };
        known.ok_or_else(unfit)
    }

    /// How the mirror stood when a process before this one ended.
    async fn stored_status(&self) -> Result<Option<MirrorStatus>> {
        let state = self.shared.routes.stored().await?;
        let fit = |standby: &crate::machine::Standby| MirrorStatus {
            phase: MirrorPhase::Following,
            verified: true,
            ..MirrorStatus::new(&state.route.owner, &standby.to)
        };
        Ok(state.fit_standby().map(fit))
    }

    async fn take_over(&self, status: &MirrorStatus, reason: &str) -> Result<Failover> {
        let _turn = self.turn.lock().await;
        let routes = &self.shared.routes;
        let mirror = self.shared.records.mirror().await?.ok_or_else(unfit)?;
        let target = self.shared.sides.side(&status.to).await?;
        let id = self.failovers().await?.last().map_or(1, |latest| latest.report.id + 1);
        let (epoch, hold) = (routes.gate().route().epoch, Hold::of(FENCE));
        let fenced = routes.act(Act::FenceLost { epoch, hold }).await?;
        let epoch = fenced.route.epoch;
        // What still hangs is not acknowledged, whatever becomes of it.
        let _ = tokio::time::timeout(DRAIN, routes.gate().drained()).await;
        let reached = self.make_ready(&mirror, &target, epoch).await;
        let (end, start) = match reached {
            Ok(reached) => reached,
            Err(error) => return Err(self.lift(epoch, error).await),
        };
        let drained = match tokio::time::timeout(FENCE / 2, routes.drained_elsewhere(&fenced)).await {
            Ok(Ok((drained, _))) => drained,
            Ok(Err(error)) => return Err(self.lift(epoch, error).await),
            Err(_) => return Err(self.lift(epoch, in_flight()).await),
        };
        let act = Act::FailOver { epoch, end: end.clone(), start: start.clone() };
        let state = match routes.apply(&[drained, Event::Act { term: routes.term(), act }]).await {
            Ok(state) => state,
            // Nobody may serve before it is known who does.
            Err(error) if error.outcome() == Outcome::Unknown => return Err(error),
            Err(error) => return Err(self.lift(epoch, error).await),
        };
        let report = FailoverReport {
            id,
            from: status.from.clone(),
            to: status.to.clone(),
            at_ms: now_ms(),
            reason: reason.to_owned(),
            down_ms: 0,
            took_ms: 0.0,
            loss: Loss::default(),
            returned: None,
        };
        Ok(Failover { report, reign: state.route.reign, mirror, end, start })
    }

    async fn lift(&self, epoch: u64, error: Error) -> Error {
        if let Err(lift) = self.shared.routes.act(Act::Lift { epoch }).await {
            tracing::warn!(error = ?lift, "the fence of a failover stands until its deadline");
        }
        error
    }

    /// Makes an end of following, and has the mirror's own changes captured before it opens. Returns
    /// how far it followed and where its own changes begin.
    async fn make_ready(&self, mirror: &Record, target: &Side, epoch: u64) -> Result<(Position, Position)> {
        let end = self.seal(mirror, target, epoch).await?;
        target.database.send(Prepare::Identities).await?;
        // It is nobody's copy any more.
        target.database.send(Prepare::Keep).await?;
        let capture = Capture { consumer: next_consumer(mirror), tables: mirror.tables.clone() };
        let start = target.database.send(capture).await?;
        Ok((end, start))
    }

    /// Writes the epoch of the fence to the stream's position, in a transaction of its own: one that
    /// was still on its way there ends before it, and none can follow, however late it arrives.
    async fn seal(&self, mirror: &Record, target: &Side, epoch: u64) -> Result<Position> {
        let origin = mirror.forward();
        for _ in 0..SEALS {
            let stored = target.database.send(AppliedPosition { origin: origin.clone() }).await?;
            let at = stored.clone().map(unsealed).or_else(|| mirror.feed_start.clone());
            let at = at.ok_or_else(unfit)?;
            let seal = Apply {
                origin: origin.clone(),
                expected: stored,
                position: Some(Position::Routed { epoch, at: Box::new(at.clone()) }),
                rows: Vec::new(),
                changes: Vec::new(),
            };
            if target.database.send(seal).await? == Applied::Done {
                return Ok(at);
            }
        }
        Err(Error::new(ErrorKind::Conflict, crate::follow::STALE, "another process follows with this mirror"))
    }

    fn loss(&self, status: &MirrorStatus, answered: Option<u64>) -> Loss {
        let acknowledged = self.shared.routes.gate().acknowledged();
        // Without a moment of this process at which it held everything, all it acknowledged may be gone.
        let Some(sync) = status.sync else { return Loss { writes: acknowledged, ms: u64::MAX } };
        let in_sync = now_ms().saturating_sub(millis(sync.at.elapsed()));
        let ms = answered.map_or_else(|| millis(sync.at.elapsed()), |at| at.saturating_sub(in_sync));
        Loss { writes: acknowledged.saturating_sub(sync.writes), ms }
    }

    fn restart(&self) {
        if let Some(me) = self.me.upgrade() {
            me.start();
        }
    }
}

/// Under which name the mirror after this one, which brings the lost backend back, has changes captured.
pub(super) fn next_consumer(mirror: &Record) -> String {
    format!("mirror-{}", mirror.id + 1)
}

fn in_flight() -> Error {
    Error::new(ErrorKind::Conflict, "BACKEND_011", "other gateways still have writes in flight")
}

fn unfit() -> Error {
    let message = "the mirror is not in sync with the backend that serves, so it can't take its place";
    Error::new(ErrorKind::Conflict, "BACKEND_009", message)
        .with_hint("`truststream status` tells what keeps it from following")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_after_has_a_name_of_its_own() {
        let mut mirror = Record::new(3, "main", "spare", crate::Options::default());
        mirror.mirror = true;
        assert_eq!((mirror.consumer(), next_consumer(&mirror)), ("mirror-3".into(), "mirror-4".into()));
    }
}
