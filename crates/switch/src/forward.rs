//! The way there: copy, follow, verify, cut over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use truststream_kernel::{Error, Outcome, Result};
use truststream_services::database::{Capture, Migrations, Position, Prepare};

use crate::copy::{copy_rows, count_rows};
use crate::cutover::cut_over;
use crate::follow::Follower;
use crate::plan::Plan;
use crate::progress::Meter;
use crate::reverse::Reverse;
use crate::switcher::Shared;
use crate::verify::verify;
use crate::{Flip, Phase, Record, Side};

/// One switch on its way to the target.
pub(crate) struct Forward {
    shared: Arc<Shared>,
    record: Record,
    plan: Plan,
    meter: Arc<Meter>,
    cancelled: watch::Receiver<bool>,
}

impl Forward {
    pub(crate) fn new(
        shared: Arc<Shared>,
        record: Record,
        plan: Plan,
        meter: Arc<Meter>,
        cancelled: watch::Receiver<bool>,
    ) -> Self {
        Forward { shared, record, plan, meter, cancelled }
    }

    /// Runs to the commit, or leaves everything as it was. Returns the way back.
    pub(crate) async fn run(mut self) -> Option<Reverse> {
        let reached = self.reach_the_flip().await;
        match reached {
            Ok((flip, start)) => self.commit(flip, start).await,
            Err(error) => {
                self.give_up(&error).await;
                None
            }
        }
    }

    async fn give_up(&mut self, error: &Error) {
        tracing::error!(?error, "the switch was given up");
        self.meter.failed(error.message());
        if error.outcome() == Outcome::Unknown {
            // The target may be the owner: nothing of it may be removed. The next start finds out.
            return;
        }
        // When the control store itself fails, the next start gives the switch up.
        if let Err(error) = self.shared.abandon(&mut self.record, error.message()).await {
            tracing::error!(
                ?error,
                "cleaning up after the switch failed; `truststream switch abort` tries again"
            );
        }
        self.meter.enter(Phase::Aborted, 0);
    }

    async fn reach_the_flip(&mut self) -> Result<(Flip, Position)> {
        let mut cancelled = self.cancelled.clone();
        let mut follower = tokio::select! {
            follower = self.make_ready() => follower.map_err(|error| error.with_outcome(Outcome::NotApplied))?,
            () = is_cancelled(&mut cancelled) => return Err(Error::invalid_input("aborted by the operator")),
        };
        // From here on the route may change, so nothing is broken off half-way any more.
        self.enter(Phase::Fencing, 0).await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        let max_pause = Duration::from_millis(self.record.options.max_pause_ms);
        let reached = cut_over(&self.shared.routes, &mut follower, max_pause).await?;
        let objects = follower.objects();
        self.record.report.objects = objects.count;
        self.record.report.object_bytes = objects.bytes;
        Ok(reached)
    }

    /// Everything that can be done while the source serves undisturbed.
    async fn make_ready(&mut self) -> Result<Follower> {
        let source = self.shared.sides.side(&self.record.from).await?;
        let target = self.shared.sides.side(&self.record.to).await?;
        let start = self.prepare(&source, &target).await?;
        self.copy(&source, &target).await?;
        let origin = self.record.forward();
        let keys = self.plan.keys.clone();
        let mut follower = Follower::resume(source, target, &self.record, origin, start, keys).await?;
        self.follow(&mut follower).await?;
        self.verify(&mut follower).await?;
        self.enter(Phase::Ready, 0).await?;
        self.record.report.changes += follower.catch_up().await?;
        Ok(follower)
    }

    async fn prepare(&mut self, source: &Side, target: &Side) -> Result<Position> {
        self.enter(Phase::Preparing, 0).await?;
        let migrations = source.database.send(Migrations).await?;
        target.database.send(Prepare::Begin { migrations }).await?;
        let capture = Capture { consumer: self.record.consumer(), tables: self.plan.tables.clone() };
        let start = source.database.send(capture).await?;
        self.record.feed_start = Some(start.clone());
        Ok(start)
    }

    async fn copy(&mut self, source: &Side, target: &Side) -> Result<()> {
        let total = count_rows(source, &self.plan.tables).await?;
        self.enter(Phase::Copying, total).await?;
        let (origin, chunk) = (self.record.forward(), self.record.options.chunk);
        let plan = &self.plan;
        let report = &mut self.record.report;
        copy_rows(source, target, plan, &origin, chunk, &self.meter, report).await
    }

    async fn follow(&mut self, follower: &mut Follower) -> Result<()> {
        self.enter(Phase::Following, 0).await?;
        follower.move_objects().await?;
        loop {
            let step = follower.step(Duration::ZERO).await?;
            self.record.report.changes += step.applied;
            self.meter.lag(step.applied);
            if step.at_end {
                break;
            }
        }
        // Keys and foreign keys are put back, and thereby checked, once the rows are all there.
        follower.target.database.send(Prepare::Finish).await?;
        let capture = Capture { consumer: self.record.consumer(), tables: self.plan.tables.clone() };
        follower.target.database.send(capture).await?;
        self.record.report.changes += follower.catch_up().await?;
        Ok(())
    }

    async fn verify(&mut self, follower: &mut Follower) -> Result<()> {
        if !self.record.options.verify {
            return Ok(());
        }
        let total = count_rows(&follower.source, &self.plan.tables).await? * 2;
        self.enter(Phase::Verifying, total).await?;
        let chunk = self.record.options.chunk;
        let (tables, changes) = verify(follower, &self.plan.tables, chunk, &self.meter).await?;
        self.record.report.tables = tables;
        self.record.report.changes += changes;
        Ok(())
    }

    /// The target serves: whatever fails from here on, nothing is given up any more.
    async fn commit(mut self, flip: Flip, start: Position) -> Option<Reverse> {
        self.record.report.flips.push(flip);
        self.record.feed_start = Some(start);
        if let Err(error) = self.enter(Phase::Committed, 0).await {
            tracing::error!(?error, "the commit is stored in the route, but not yet in the switch");
        }
        match self.shared.backward_follower(&self.record).await {
            Ok(follower) => Some(Reverse::spawn(follower, self.meter)),
            Err(error) => {
                tracing::error!(?error, "the old side can't be kept in sync; the next start tries again");
                None
            }
        }
    }

    async fn enter(&mut self, phase: Phase, rows: u64) -> Result<()> {
        self.record.enter(phase);
        self.shared.records.save(&self.record).await?;
        self.meter.enter(phase, rows);
        Ok(())
    }
}

async fn is_cancelled(cancelled: &mut watch::Receiver<bool>) {
    // A sender that is gone can't cancel any more.
    if cancelled.wait_for(|cancelled| *cancelled).await.is_err() {
        std::future::pending::<()>().await;
    }
}
