//! The way back: keeping the old side in sync, and returning to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use truststream_kernel::{Error, Result};
use truststream_services::database::Describe;

use crate::cutover::Flipping;
use crate::follow::Follower;
use crate::forward::keys;
use crate::machine::Act;
use crate::progress::Meter;
use crate::shared::Shared;
use crate::signal::Signal;
use crate::verify::Comparison;
use crate::{Phase, Record, Verify};

/// How often a return that would pause writes too long is tried: somebody waits for its answer.
const ATTEMPTS: u32 = 20;

/// Longest wait for a change before looking again.
const WAIT: Duration = Duration::from_millis(500);

/// Brings the new owner's changes back to the old one, until stopped.
pub(crate) struct Reverse {
    task: JoinHandle<(Follower, u64)>,
    stop: watch::Sender<bool>,
    meter: Arc<Meter>,
}

impl Reverse {
    pub(crate) fn spawn(follower: Follower, meter: Arc<Meter>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(follow_back(follower, Arc::clone(&meter), stopped));
        Reverse { task, stop, meter }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Ends at once.
    pub(crate) fn abort(self) {
        self.task.abort();
    }

    /// Ends after the batch in progress; hands the follower back and says how many changes it
    /// brought back.
    pub(crate) async fn stop(self) -> Result<(Follower, u64)> {
        self.stop.send_replace(true);
        self.task.await.map_err(|error| Error::internal("the way back broke off").with_source(error))
    }
}

async fn follow_back(
    mut follower: Follower,
    meter: Arc<Meter>,
    stopped: watch::Receiver<bool>,
) -> (Follower, u64) {
    let mut applied = 0;
    let mut delay = WAIT;
    while !*stopped.borrow() {
        match follower.step(WAIT).await {
            Ok(step) => {
                applied += step.applied;
                meter.followed(step);
                delay = WAIT;
            }
            Err(error) => {
                tracing::warn!(?error, "the old side could not be kept in sync; trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(30));
                if let Err(error) = follower.look_again().await {
                    tracing::debug!(?error, "where the way back stands can't be told");
                }
            }
        }
        // A stray may be what keeps the old side from being kept in sync.
        if let Some(strays) = &mut follower.strays {
            strays.look_now_and_then().await;
        }
    }
    (follower, applied)
}

impl Shared {
    /// The follower from the new owner back to the old one.
    pub(crate) async fn backward_follower(&self, record: &Record) -> Result<Follower> {
        let source = self.sides.side(&record.to).await?;
        let target = self.sides.side(&record.from).await?;
        let catalog = source.database.send(Describe::default()).await?;
        let keys = keys(&catalog, &record.tables);
        let start = record
            .feed_start
            .clone()
            .ok_or_else(|| Error::internal("a committed switch without the start of its feed"))?;
        let mut follower = Follower::resume(source, target, record, record.backward(), start, keys).await?;
        follower.strays = self.strays(record, &follower).await?;
        Ok(follower)
    }

    /// Compares both sides and returns to the old one.
    pub(crate) async fn go_back(
        &self,
        mut record: Record,
        follower: &mut Follower,
        meter: &Meter,
    ) -> Result<Record> {
        if let Some(defined) = &record.defined_there {
            defined.must_hold(&follower.source).await?;
        }
        record.report.changes_back += follower.catch_up().await?;
        let (_wish, signal) = Signal::new();
        if record.options.verify != Verify::None {
            meter.enter(Phase::Verifying, 0);
            let mut comparison = Comparison::of(follower, &record.options, meter, &signal);
            match comparison.run(&record.tables).await {
                Ok(tables) => record.report.tables = tables,
                Err(error) => {
                    meter.enter(Phase::Committed, 0);
                    return Err(on_the_way_back(error, &record));
                }
            }
            record.report.changes_back += comparison.changes;
            self.routes.act(Act::Verified).await?;
        }
        record.enter(Phase::FencingBack);
        self.records.save(&record).await?;
        meter.enter(Phase::FencingBack, 0);
        let routes = &self.routes;
        let options = &record.options;
        let defined = record.defined_there.as_ref();
        let (signal, attempts) = (&signal, ATTEMPTS);
        let mut flipping = Flipping {
            routes,
            follower,
            options,
            meter,
            signal,
            attempts,
            part: None,
            defined,
            held_since: None,
        };
        match flipping.run().await {
            Ok((flip, _)) => {
                record.report.flips.push(flip);
                record.enter(Phase::RolledBack);
                // The route says it already; the next start reads it from there.
                if let Err(error) = self.records.save(&record).await {
                    tracing::error!(?error, "the way back is stored in the route, but not yet in the switch");
                }
                meter.enter(Phase::RolledBack, 0);
                Ok(record)
            }
            Err(error) => {
                record.enter(Phase::Committed);
                self.records.save(&record).await?;
                meter.enter(Phase::Committed, 0);
                Err(error)
            }
        }
    }
}

/// What to do about rows that differ: the side that serves is right.
fn on_the_way_back(error: Error, Record { from, to, .. }: &Record) -> Error {
    match error.code() {
        "BACKEND_009" => error.with_hint(format!(
            "`{to}` serves on. Was something written to `{from}` directly (`truststream switch status --json`)? \
             `truststream verify {to} {from} --repair` makes `{from}` what `{to}` holds, without it; then \
             `truststream switch back` returns"
        )),
        _ => error,
    }
}
