//! Reads before the flip: both sides are asked and compared, then the target answers a growing share.
//!
//! Writes stay with the source until the cut-over, which is that of every other strategy.

mod compare;
mod tally;
mod trial;

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use truststream_kernel::{BoxFuture, Call, Context, Error, ErrorKind, Features, Result, Stack};
use truststream_services::database::{DatabaseOp, DatabaseReply, DatabaseService, Describe};

use crate::Switcher;
use crate::follow::Follower;
use crate::progress::Meter;
use crate::signal::Signal;

pub use tally::{Different, ReadReport};
use trial::Trial;

/// Longest wait for a change: the target is that much behind at least.
const WAIT: Duration = Duration::from_millis(20);

/// Shares of the reads that the target answers, one after the other, in percent.
const SHARES: [u8; 3] = [10, 50, 100];

/// How much longer than a share lasts it is waited for enough comparisons.
const LONGER: u32 = 6;

/// How reads are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReadOptions {
    /// Reads that both sides are asked for, in percent.
    pub sample: u8,
    /// Comparisons before the target answers anybody.
    pub comparisons: u64,
    /// How long each share of the reads lasts, in milliseconds.
    pub step_ms: u64,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions { sample: 20, comparisons: 200, step_ms: 10_000 }
    }
}

/// Where reads pass while a switch is being made.
#[derive(Default)]
pub struct Reads(RwLock<Option<Arc<Trial>>>);

impl Reads {
    /// A database whose reads may be compared with those of the other side, and answered by it.
    pub fn over(self: &Arc<Self>, inner: Stack<DatabaseService>) -> Stack<DatabaseService> {
        Arc::new(Watched { inner, reads: Arc::clone(self) })
    }

    fn trial(&self) -> Option<Arc<Trial>> {
        self.0.read().clone()
    }

    fn begin(self: &Arc<Self>, trial: &Arc<Trial>) -> On {
        *self.0.write() = Some(Arc::clone(trial));
        On(Arc::clone(self))
    }
}

impl Switcher {
    /// Where reads of the application pass, so that a switch can move them before it flips.
    pub fn reads(&self) -> &Arc<Reads> {
        &self.shared.reads
    }
}

/// Ends with the trial, however that ends.
struct On(Arc<Reads>);

impl Drop for On {
    fn drop(&mut self) {
        *self.0.0.write() = None;
    }
}

struct Watched {
    inner: Stack<DatabaseService>,
    reads: Arc<Reads>,
}

impl Call<DatabaseService> for Watched {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        match self.reads.trial() {
            None => self.inner.call(cx, op),
            Some(trial) => Box::pin(trial.call(&self.inner, cx, op)),
        }
    }
}

/// Moves reads, following meanwhile.
pub(crate) struct Gradual<'a> {
    pub(crate) reads: &'a Arc<Reads>,
    pub(crate) options: ReadOptions,
    /// Other gateways serve the same callers: what those wrote there is not known here, so that
    /// reads are compared and none is moved.
    pub(crate) among_several: bool,
    pub(crate) meter: &'a Meter,
    pub(crate) signal: &'a Signal,
}

impl Gradual<'_> {
    /// Returns how many changes were applied meanwhile. What was found is in `report`, also when it
    /// ends with an error.
    ///
    /// # Errors
    /// `BACKEND_009` naming the kinds of reads that the target answers otherwise.
    pub(crate) async fn run(&self, follower: &mut Follower, report: &mut Option<ReadReport>) -> Result<u64> {
        let catalog = follower.source.database.send(Describe::default()).await?;
        let (source, target) = (follower.source.database.stack(), follower.target.database.stack());
        let (source, target) = (Arc::clone(source), Arc::clone(target));
        let trial = Trial::new(source, target, catalog, self.options.sample.clamp(1, 100));
        let on = self.reads.begin(&trial);
        let moved = self.steps(follower, &trial).await;
        drop(on);
        *report = Some(trial.tally.lock().report());
        moved
    }

    async fn steps(&self, follower: &mut Follower, trial: &Trial) -> Result<u64> {
        let step = Duration::from_millis(self.options.step_ms);
        self.meter.note("reads are compared on both sides".to_owned());
        let enough = || trial.tally.lock().compared() >= self.options.comparisons;
        let mut changes = self.follow_for(follower, trial, step).await?;
        let began = Instant::now();
        while !enough() && began.elapsed() < step * LONGER {
            changes += self.follow_for(follower, trial, WAIT).await?;
        }
        for share in SHARES.into_iter().filter(|_| !self.among_several) {
            trial.serve(share);
            self.meter.note(format!("{} answers {share} of 100 reads", follower.target.name));
            changes += self.follow_for(follower, trial, step).await?;
        }
        Ok(changes)
    }

    async fn follow_for(&self, follower: &mut Follower, trial: &Trial, time: Duration) -> Result<u64> {
        let (began, mut changes) = (Instant::now(), 0);
        loop {
            self.signal.check()?;
            let asked = Instant::now();
            let step = follower.step(WAIT).await?;
            changes += step.applied;
            self.meter.lag(if step.at_end { 0 } else { step.applied });
            if step.at_end {
                trial.has_all_before(asked);
            }
            refuse_differences(&trial.tally.lock().report(), &follower.target.name)?;
            if began.elapsed() >= time {
                return Ok(changes);
            }
        }
    }
}

fn refuse_differences(report: &ReadReport, target: &str) -> Result<()> {
    let Some(first) = report.different.first() else { return Ok(()) };
    let message = format!("{target} answers a read otherwise: {} ({})", first.shape, first.how);
    let details = serde_json::to_value(&report.different).unwrap_or_default();
    Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
        .with_details(details)
        .with_hint("another strategy switches without comparing reads"))
}
