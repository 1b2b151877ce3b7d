//! The way there: copy, follow, verify, cut over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truststream_kernel::{Error, ErrorKind, Outcome, Result};
use truststream_services::database::{Capture, Catalog, Describe, Migrations, Position, Prepare, TableName};

use crate::copy::{Copy, count_rows};
use crate::cutover::Flipping;
use crate::definitions::{Definitions, is_redefined};
use crate::failpoint::Moment;
use crate::follow::Follower;
use crate::gradual::Conduct;
use crate::machine::{Act, Hold, Strategy};
use crate::progress::Meter;
use crate::reverse::Reverse;
use crate::shared::Shared;
use crate::signal::{Signal, Wish};
use crate::verify::Comparison;
use crate::{Flip, Phase, Record, Side, Verify};

/// How often a side that does not answer is asked again before the switch is given up.
const RETRIES: u32 = 8;

/// How long the fence of an immediate switch stands if nobody extends it.
const FENCE: Duration = Duration::from_secs(60);

/// One switch on its way to the target, from wherever it stands.
pub(crate) struct Forward {
    shared: Arc<Shared>,
    record: Record,
    meter: Arc<Meter>,
    signal: Signal,
    failures: u32,
    /// Since when writes wait, where they are held before anything else is done.
    held_since: Option<Instant>,
}

impl Forward {
    pub(crate) fn new(shared: Arc<Shared>, record: Record, meter: Arc<Meter>, signal: Signal) -> Self {
        Forward { shared, record, meter, signal, failures: 0, held_since: None }
    }

    /// Runs to the commit, or until it is asked to stop, or leaves everything as it was. Returns
    /// the way back.
    pub(crate) async fn run(mut self) -> Option<Reverse> {
        loop {
            match self.reach_the_flip().await {
                Ok((flip, start)) => return self.commit(flip, start).await,
                Err(error) if self.goes_on_after(&error).await => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether it is tried again from where it stands. If not, it is stopped or given up.
    async fn goes_on_after(&mut self, error: &Error) -> bool {
        if error.outcome() == Outcome::Unknown {
            // The target may be the owner: nothing of it may be removed. The next start finds out.
            tracing::error!(?error, "the switch broke off; the next start goes on with it");
            self.meter.failed(error.message());
            return false;
        }
        let wish = self.signal.wish();
        if wish == Wish::Stop {
            self.meter.note("stopped".to_owned());
            return false;
        }
        if wish == Wish::Go && is_passing(error) && self.failures < RETRIES {
            let delay = Duration::from_secs(1 << self.failures.min(5));
            self.failures += 1;
            tracing::warn!(?error, "the switch waits {delay:?} and goes on");
            self.meter.note(format!("{}; again in {} s", error.message(), delay.as_secs()));
            self.signal.sleep(delay).await;
            return true;
        }
        self.give_up(error).await;
        false
    }

    /// Why nothing of the source fits any more, if what it is defined by is not what the switch began with.
    async fn redefined(&self) -> Option<Error> {
        let source = self.shared.sides.side(&self.record.from).await.ok()?;
        self.record.defined.as_ref()?.must_hold(&source).await.err().filter(is_redefined)
    }

    async fn give_up(&mut self, error: &Error) {
        let redefined = if is_passing(error) { None } else { self.redefined().await };
        let error = redefined.as_ref().unwrap_or(error);
        tracing::error!(?error, "the switch was given up");
        self.meter.failed(error.message());
        self.record.report.advice = error.hint().map(str::to_owned);
        match self.shared.abandon(&mut self.record, error.message()).await {
            Ok(()) => self.meter.enter(Phase::Aborted, 0),
            Err(error) => tracing::error!(
                ?error,
                "cleaning up after the switch failed; `truststream switch abort` tries again"
            ),
        }
    }

    async fn reach_the_flip(&mut self) -> Result<(Flip, Position)> {
        let mut follower =
            self.make_ready().await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        self.failures = 0;
        if self.record.defined_there.is_none() {
            let defined = Definitions::of(&follower.target).await;
            self.record.defined_there =
                Some(defined.map_err(|error| error.with_outcome(Outcome::NotApplied))?);
        }
        if self.record.options.strategy == Strategy::Gradual {
            self.move_parts(&mut follower).await.map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        }
        self.record.enter(Phase::Fencing);
        self.shared
            .records
            .save(&self.record)
            .await
            .map_err(|error| error.with_outcome(Outcome::NotApplied))?;
        self.meter.enter(Phase::Fencing, 0);
        let mut flipping = Flipping {
            routes: &self.shared.routes,
            follower: &mut follower,
            options: &self.record.options,
            meter: &self.meter,
            signal: &self.signal,
            attempts: u32::MAX,
            part: None,
            defined: self.record.defined.as_ref(),
            held_since: self.held_since,
        };
        let reached = flipping.run().await?;
        self.count_objects(&mut follower);
        Ok(reached)
    }

    /// Sets down which objects were moved since the last time.
    fn count_objects(&mut self, follower: &mut Follower) {
        let (count, bytes) = follower.take_objects();
        self.record.report.objects += count;
        self.record.report.object_bytes += bytes;
    }

    /// Moves parts, and has both sides answer reads before the target serves.
    async fn move_parts(&mut self, follower: &mut Follower) -> Result<()> {
        let (shared, meter, signal) = (&*self.shared, &*self.meter, &self.signal);
        Conduct::begin(shared, &mut self.record, follower, meter, signal).await?.run().await
    }

    /// Everything that is done before the cut-over, from the step that is stored.
    async fn make_ready(&mut self) -> Result<Follower> {
        let state = self.shared.unfence().await?;
        self.record.phase = state.switch.map_or(self.record.phase, |stage| stage.phase);
        let source = self.shared.sides.side(&self.record.from).await?;
        let target = self.shared.sides.side(&self.record.to).await?;
        let catalog = source.database.send(Describe { fresh: true }).await?;
        if matches!(self.record.phase, Phase::Planned | Phase::Preparing) {
            self.prepare(&source, &target).await?;
            if self.record.options.strategy == Strategy::Gradual {
                self.shared.divide(&mut self.record, &source).await?;
            }
        }
        let shared = Arc::clone(&self.shared);
        let holds = self.record.options.strategy == Strategy::Immediate;
        let hold = self.record.options.hold_ms.map(Duration::from_millis);
        if holds && self.held_since.is_none() {
            self.shared.routes.gate().take_held();
            self.held_since = Some(Instant::now());
        }
        tokio::select! {
            biased;
            follower = self.bring(source, target, &catalog) => follower,
            () = shared.hold_writes(hold), if holds => Err(Error::internal("a fence ended")),
        }
    }

    /// Brings everything to the target.
    async fn bring(&mut self, source: Side, target: Side, catalog: &Catalog) -> Result<Follower> {
        if matches!(self.record.phase, Phase::Preparing | Phase::Copying) {
            self.copy(&source, &target, catalog).await?;
        }
        let mut follower = self.shared.forward_follower(&self.record).await?;
        if self.shared.has_moved_parts().await? {
            // All was compared before the first of them moved, and is followed since.
            return Ok(follower);
        }
        self.follow(&mut follower).await?;
        self.verify(&mut follower).await?;
        self.enter(Phase::Ready, 0).await?;
        Moment::Ready.pass();
        self.record.report.changes += follower.catch_up().await?;
        Ok(follower)
    }

    async fn prepare(&mut self, source: &Side, target: &Side) -> Result<()> {
        self.enter(Phase::Preparing, 0).await?;
        if self.shared.adopt(&mut self.record, source).await? {
            return Ok(());
        }
        let migrations = source.database.send(Migrations).await?;
        if let Some(defined) = &self.record.defined {
            defined.are_of(source, &migrations)?;
        }
        let claim = self.shared.claim(target).await?;
        Moment::Emptying.pass();
        // What somebody before began, and did not end, must not be taken for what was there.
        claim.prepare(Prepare::Discard).await?;
        Moment::Emptied.pass();
        claim.prepare(Prepare::Begin { migrations }).await?;
        Moment::Prepared.pass();
        let capture = Capture { consumer: self.record.consumer(), tables: self.record.tables.clone() };
        self.record.feed_start = Some(source.database.send(capture).await?);
        Moment::Captured.pass();
        Ok(())
    }

    async fn copy(&mut self, source: &Side, target: &Side, catalog: &Catalog) -> Result<()> {
        let is_there = self.record.stream.is_some();
        let total = if is_there { 0 } else { count_rows(source, &self.record.tables).await? };
        self.enter(Phase::Copying, total).await?;
        if is_there {
            return Ok(());
        }
        let (meter, signal, records) = (&self.meter, &self.signal, &self.shared.records);
        let term = self.shared.routes.term();
        Copy { source, target, catalog, records, meter, signal, term }.rows(&mut self.record).await
    }

    async fn follow(&mut self, follower: &mut Follower) -> Result<()> {
        Moment::Copied.pass();
        self.enter(Phase::Following, 0).await?;
        let meter = &self.meter;
        let moved = |count, bytes| meter.note(format!("{count} files copied ({bytes} bytes)"));
        let copied = follower.move_objects((&self.record.options, &self.signal), &moved).await;
        self.count_objects(follower);
        copied?;
        self.shared.records.save(&self.record).await?;
        Moment::Objects.pass();
        loop {
            self.signal.check()?;
            let step = follower.step(Duration::ZERO).await?;
            self.record.report.changes += step.applied;
            self.meter.followed(step);
            if step.at_end {
                break;
            }
        }
        // Keys and foreign keys are put back, and thereby checked, once the rows are all there.
        self.shared.claim(&follower.target).await?.prepare(Prepare::Finish).await?;
        Moment::Keys.pass();
        let capture = Capture { consumer: self.record.consumer(), tables: self.record.tables.clone() };
        follower.target.database.send(capture).await?;
        Moment::Armed.pass();
        self.record.report.changes += follower.catch_up().await?;
        Ok(())
    }

    async fn verify(&mut self, follower: &mut Follower) -> Result<()> {
        if self.record.options.verify == Verify::None {
            return Ok(());
        }
        let total = count_rows(&follower.source, &self.record.tables).await? * 2;
        self.enter(Phase::Verifying, total).await?;
        let (tables, options) = (self.record.tables.clone(), self.record.options.clone());
        let mut comparison = Comparison::of(follower, &options, &self.meter, &self.signal);
        // What was compared before a restart has been followed since.
        let known = self.record.compared.iter().map(|report| report.table.clone()).collect::<Vec<_>>();
        for table in tables.iter().filter(|table| !known.contains(table)) {
            let report = comparison.table(table).await?;
            comparison.outcome()?;
            self.record.compared.push(report);
            self.shared.records.save(&self.record).await?;
        }
        self.record.report.changes += comparison.changes;
        self.record.report.tables = std::mem::take(&mut self.record.compared);
        Moment::Compared.pass();
        self.shared.routes.act(Act::Verified).await.map(drop)
    }

    /// The target serves: whatever fails from here on, nothing is given up any more.
    async fn commit(mut self, flip: Flip, start: Position) -> Option<Reverse> {
        self.record.report.flips.push(flip);
        self.record.feed_start = Some(start);
        self.record.enter(Phase::Committed);
        if let Err(error) = self.shared.records.save(&self.record).await {
            tracing::error!(?error, "the commit is stored in the route, but not yet in the switch");
        }
        self.meter.enter(Phase::Committed, 0);
        match self.shared.backward_follower(&self.record).await {
            Ok(follower) => Some(Reverse::spawn(follower, self.meter)),
            Err(error) => {
                tracing::error!(?error, "the old side can't be kept in sync; the next start tries again");
                None
            }
        }
    }

    async fn enter(&mut self, phase: Phase, rows: u64) -> Result<()> {
        self.shared.enter(&mut self.record, phase).await?;
        self.meter.enter(phase, rows);
        Ok(())
    }
}

impl Shared {
    /// What brings the source's changes to the target, from where the target stands.
    pub(crate) async fn forward_follower(&self, record: &Record) -> Result<Follower> {
        let source = self.sides.side(&record.from).await?;
        let target = self.sides.side(&record.to).await?;
        let catalog = source.database.send(Describe::default()).await?;
        let start = record.feed_start.clone();
        let start = start.ok_or_else(|| Error::internal("a copy without the start of its feed"))?;
        let keys = keys(&catalog, &record.tables);
        let mut follower = Follower::resume(source, target, record, record.forward(), start, keys).await?;
        follower.expect_columns().await?;
        Ok(follower)
    }

    /// Whether the target serves any part.
    async fn has_moved_parts(&self) -> Result<bool> {
        let division = self.routes.stored().await?.route.division;
        Ok(division.is_some_and(|division| division.has_moved()))
    }
}

/// Primary keys of the tables that are moved.
pub(crate) fn keys(catalog: &Catalog, tables: &[TableName]) -> HashMap<TableName, Vec<String>> {
    let key = |name: &TableName| Some((name.clone(), catalog.table(name)?.primary_key.clone()));
    tables.iter().filter_map(key).collect()
}

/// Whether it may be over when tried again: a side that does not answer, another applier that ended
/// in the middle of a step, or a transaction that stood in the way (a serialization failure or a
/// deadlock; a process that was killed leaves its own open for a while).
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::RateLimited)
        || [crate::follow::STALE, "40001", "40P01"].contains(&error.code())
}

impl Shared {
    /// Holds writes for as long as this is awaited: an immediate switch begins with it. When
    /// somebody else lifts the fence, the changes made since are captured and followed.
    async fn hold_writes(&self, each: Option<Duration>) {
        self.routes.gate().hold(each);
        loop {
            let (epoch, hold) = (self.routes.gate().route().epoch, Hold::of(FENCE));
            let act = if self.routes.gate().route().fenced {
                Act::Extend { epoch, hold }
            } else {
                Act::Fence { epoch, hold }
            };
            if let Err(error) = self.routes.act(act).await {
                tracing::warn!(?error, "writes could not be held");
            }
            tokio::time::sleep(FENCE / 3).await;
        }
    }
}
