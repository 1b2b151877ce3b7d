//! Bringing a mirror up, and following from then on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Capture, Catalog, Describe, Migrations, Prepare};

use super::Mirrors;
use super::status::{InSync, MirrorPhase};
use crate::copy::{Copy, count_rows};
use crate::definitions::{Definitions, is_behind};
use crate::follow::Follower;
use crate::forward::keys;
use crate::machine::Act;
use crate::plan::plan;
use crate::progress::Meter;
use crate::signal::Signal;
use crate::verify::Comparison;
use crate::{Phase, Record, Route, Side, Verify};

/// Longest wait for a change before looking again.
const WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether the schema has changed.
const SCHEMA: Duration = Duration::from_secs(2);

/// Why a mirror is made anew.
const REDEFINED: &str = "the schema of what it follows has changed";

/// Code of the error of a feed that no longer reaches back.
const GAP: &str = "BACKEND_010";

impl Mirrors {
    /// Brings the mirror to where it follows, and follows until something fails.
    pub(super) async fn follow(&self, route: &Route, to: &str) -> Result<Infallible> {
        let source = self.shared.sides.side(&route.owner).await?;
        let target = self.shared.sides.side(to).await?;
        let mut redefined = self.shared.routes.gate().redefined();
        let mut record = self.record(route, to, &source, &target).await?;
        let mut follower = {
            let _turn = self.turn.lock().await;
            self.bring(route, &mut record, source, target).await?
        };
        self.update(|status| status.redefined = redefined);
        let mut looked = Instant::now();
        let mut catalog = follower.source.database.send(Describe::default()).await?;
        loop {
            if self.is_adopted(to).await? {
                self.note(Some("a switch to it is under way".to_owned()));
                tokio::time::sleep(WAIT).await;
                continue;
            }
            let now = self.shared.routes.gate().redefined();
            // Another one as soon as a provider that is told of changes has heard of one.
            let present = follower.source.database.send(Describe::default()).await?;
            let is_known = now == redefined && Arc::ptr_eq(&present, &catalog);
            if !is_known || looked.elapsed() > SCHEMA {
                self.look_at_schema(&mut record, &follower).await?;
                self.update(|status| status.redefined = now);
                (redefined, looked, catalog) = (now, Instant::now(), present);
            }
            let stepped = {
                let _turn = self.turn.lock().await;
                self.step(&mut follower, WAIT).await
            };
            if let Err(error) = &stepped
                && error.code() == GAP
            {
                self.begin_anew(&mut record, "the feed no longer reaches back to where it stood").await?;
            }
            if stepped.is_err() {
                self.look_at_schema(&mut record, &follower).await?;
            }
            stepped?;
        }
    }

    /// The record of the mirror as it is stored, or that of a new one.
    async fn record(&self, route: &Route, to: &str, source: &Side, target: &Side) -> Result<Record> {
        let latest = self.shared.records.mirror().await?;
        let id = latest.as_ref().map_or(1, |latest| latest.id + 1);
        let state = self.shared.routes.stored().await?;
        let stands = |latest: &Record| {
            state.standby.as_ref().is_some_and(|standby| {
                standby.id == latest.id && standby.reign == route.reign && standby.to == to
            })
        };
        if let Some(latest) = latest.filter(stands) {
            return Ok(latest);
        }
        if let Some(failover) = self.failover_to(&route.owner, route.reign).await? {
            let _turn = self.turn.lock().await;
            let record = self.take_back(failover, source, target).await?;
            self.shared.records.save(&record).await?;
            let (id, to) = (record.id, to.to_owned());
            self.shared.routes.act(Act::StandBy { id, to }).await?;
            return Ok(record);
        }
        if let Some(record) = self.go_on_after_switch(route, to, id, source).await? {
            let (id, to) = (record.id, to.to_owned());
            self.shared.routes.act(Act::StandBy { id, to }).await?;
            return Ok(record);
        }
        let defined = Definitions::of(source).await?;
        let plan = plan(source, target).await?;
        plan.check()?;
        let mut record = self.new_record(route, to, id);
        record.tables = plan.tables;
        record.defined = Some(defined);
        self.shared.records.save(&record).await?;
        self.shared.routes.act(Act::StandBy { id, to: to.to_owned() }).await?;
        Ok(record)
    }

    pub(super) fn new_record(&self, route: &Route, to: &str, id: u64) -> Record {
        let options = crate::Options { verify: Verify::Full, repair: true, ..self.options.clone() };
        let mut record = Record::new(id, &route.owner, to, options);
        record.mirror = true;
        record
    }

    /// Everything up to where it follows, from the step that is stored.
    async fn bring(
        &self,
        route: &Route,
        record: &mut Record,
        source: Side,
        target: Side,
    ) -> Result<Follower> {
        let catalog = source.database.send(Describe { fresh: true }).await?;
        if record.phase == Phase::Planned {
            self.prepare(record, &source, &target).await?;
        }
        if record.phase == Phase::Copying {
            self.copy(record, &source, &target, &catalog).await?;
        }
        let start = record.feed_start.clone();
        let start = start.ok_or_else(|| Error::internal("a mirror without the start of its feed"))?;
        let (origin, keys) = (record.forward(), keys(&catalog, &record.tables));
        let mut follower = Follower::resume(source, target, record, origin, start, keys).await?;
        follower.expect_columns().await?;
        if record.phase == Phase::Following {
            let (_wish, signal) = Signal::new();
            follower.move_objects((&record.options, &signal), &|_, _| {}).await?;
            follower.catch_up().await?;
            self.shared.claim(&follower.target).await?.prepare(Prepare::Finish).await?;
            self.enter(record, Phase::Verifying).await?;
        }
        if !self.is_verified(route, record).await? {
            self.update(|status| status.phase = MirrorPhase::Comparing);
            self.compare(record, &mut follower).await?;
            self.shared.routes.act(Act::StandByVerified { id: record.id }).await?;
        }
        self.enter(record, Phase::Ready).await?;
        tracing::info!(mirror = record.to, of = record.from, "the mirror is in sync and follows");
        self.update(|status| {
            status.id = record.id;
            status.verified = true;
            status.phase = MirrorPhase::Following;
            status.rows = record.report.rows;
        });
        Ok(follower)
    }

    async fn is_verified(&self, route: &Route, record: &Record) -> Result<bool> {
        let standby = self.shared.routes.stored().await?.standby;
        Ok(standby.is_some_and(|standby| {
            standby.verified && standby.id == record.id && standby.reign == route.reign
        }))
    }

    async fn prepare(&self, record: &mut Record, source: &Side, target: &Side) -> Result<()> {
        let migrations = source.database.send(Migrations).await?;
        if record.defined.as_ref().is_some_and(|defined| defined.are_of(source, &migrations).is_err()) {
            return self.begin_anew(record, REDEFINED).await;
        }
        let claim = self.shared.claim(target).await?;
        // What a mirror before this one left there.
        claim.prepare(Prepare::Discard).await?;
        claim.prepare(Prepare::Begin { migrations }).await.map_err(|error| holds_rows(error, target))?;
        let capture = Capture { consumer: record.consumer(), tables: record.tables.clone() };
        record.feed_start = Some(source.database.send(capture).await?);
        self.enter(record, Phase::Copying).await
    }

    async fn copy(&self, record: &mut Record, source: &Side, target: &Side, catalog: &Catalog) -> Result<()> {
        self.update(|status| status.phase = MirrorPhase::Copying);
        let meter = Meter::new(record.id, &record.from, &record.to, Phase::Copying);
        meter.enter(Phase::Copying, count_rows(source, &record.tables).await?);
        let (_wish, signal) = Signal::new();
        let (records, mut progress) = (&self.shared.records, meter.watch());
        let term = self.shared.routes.term();
        let copy = Copy { source, target, catalog, records, meter: &meter, signal: &signal, term };
        let told = async {
            // The meter outlives the copy.
            while progress.changed().await.is_ok() {
                let rows = progress.borrow_and_update().rows_done;
                self.update(|status| status.rows = rows);
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            copied = copy.rows(record) => copied?,
            () = told => {}
        }
        self.enter(record, Phase::Following).await
    }

    async fn compare(&self, record: &mut Record, follower: &mut Follower) -> Result<()> {
        let meter = Meter::new(record.id, &record.from, &record.to, Phase::Verifying);
        let (_wish, signal) = Signal::new();
        let (tables, options) = (record.tables.clone(), record.options.clone());
        let compared = Comparison::of(follower, &options, &meter, &signal).run(&tables).await;
        follower.watched = None;
        record.report.tables = compared?;
        Ok(())
    }

    /// One batch. What was acknowledged before the source was asked is in the mirror once the source
    /// says that there is no more.
    async fn step(&self, follower: &mut Follower, wait: Duration) -> Result<()> {
        let sync = InSync { writes: self.shared.routes.gate().acknowledged(), at: Instant::now() };
        let step = follower.step(wait).await?;
        self.update(|status| {
            status.changes += step.applied;
            status.note = None;
            if step.at_end {
                status.sync = Some(sync);
            }
        });
        Ok(())
    }

    /// Definitions are not in the feed: a mirror of another schema is made anew.
    async fn look_at_schema(&self, record: &mut Record, follower: &Follower) -> Result<()> {
        if is_behind(&follower.target, &follower.source).await? {
            return self.begin_anew(record, REDEFINED).await;
        }
        Ok(())
    }

    /// # Errors
    /// Always, to leave following; the next look finds no record to go on with.
    async fn begin_anew(&self, record: &mut Record, reason: &str) -> Result<()> {
        self.shared.routes.act(Act::StandDown { id: record.id }).await?;
        self.update(|status| {
            status.verified = false;
            status.phase = MirrorPhase::Starting;
            status.sync = None;
        });
        let message = format!("{reason}; the mirror is made anew");
        Err(Error::new(ErrorKind::Conflict, "BACKEND_011", message))
    }

    async fn enter(&self, record: &mut Record, phase: Phase) -> Result<()> {
        if record.phase == phase {
            return Ok(());
        }
        record.enter(phase);
        self.shared.records.save(record).await
    }
}

/// Rows that no mirror of this project brought there are somebody's.
fn holds_rows(error: Error, target: &Side) -> Error {
    if error.kind() != ErrorKind::Constraint {
        return error;
    }
    let message = format!("`{}` holds rows that no mirror put there: {}", target.name, error.message());
    Error::new(error.kind(), error.code().to_owned(), message)
        .with_hint("empty that database, or choose another one to mirror to")
}
