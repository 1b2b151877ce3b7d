//! What can be watched of a switch while it runs.

use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Phase;
use crate::follow::Step;

/// A moment of a running switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Number of the switch.
    pub id: u64,
    /// From this backend.
    pub from: String,
    /// To this one.
    pub to: String,
    /// Where it stands.
    pub phase: Phase,
    /// The table being worked on.
    pub table: Option<String>,
    /// Rows done in this phase.
    pub rows_done: u64,
    /// Rows of this phase in all: as counted at its beginning, or more if more have been done since.
    pub rows_total: u64,
    /// Rows a second in this phase.
    pub rows_per_second: f64,
    /// Changes read but not applied at the last look.
    pub lag: u64,
    /// Seconds until this phase ends, if it can be told.
    pub eta_seconds: Option<f64>,
    /// What it waits for, if something keeps it from going on.
    #[serde(default)]
    pub note: Option<String>,
    /// What went wrong, if the switch ended for it.
    pub failure: Option<String>,
}

impl Progress {
    fn done(&mut self, rows: u64) {
        self.rows_done = rows;
        // Where nothing was counted, nothing is known.
        if self.rows_total > 0 {
            self.rows_total = self.rows_total.max(rows);
        }
    }
}

/// How long a phase has to last before it is told when it ends: its first rows tell nothing.
const FORESEEN: Duration = Duration::from_secs(1);

/// Where the steps of a switch say how far they are.
pub(crate) struct Meter {
    progress: watch::Sender<Progress>,
    began: Mutex<Began>,
}

/// How a phase began in this process.
#[derive(Clone, Copy)]
struct Began {
    at: Instant,
    /// Rows that were done before.
    done: u64,
    /// Rows in all, as counted then.
    counted: u64,
}

impl Began {
    fn now(done: u64, counted: u64) -> Self {
        Began { at: Instant::now(), done, counted }
    }
}

impl Meter {
    pub(crate) fn new(id: u64, from: &str, to: &str, phase: Phase) -> Self {
        let progress = Progress {
            id,
            from: from.to_owned(),
            to: to.to_owned(),
            phase,
            table: None,
            rows_done: 0,
            rows_total: 0,
            rows_per_second: 0.0,
            lag: 0,
            eta_seconds: None,
            note: None,
            failure: None,
        };
        Meter { progress: watch::Sender::new(progress), began: Mutex::new(Began::now(0, 0)) }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn enter(&self, phase: Phase, rows_total: u64) {
        *self.began.lock() = Began::now(0, rows_total);
        self.progress.send_modify(|progress| {
            progress.phase = phase;
            progress.rows_total = rows_total;
            progress.rows_done = 0;
            progress.table = None;
            progress.rows_per_second = 0.0;
            progress.eta_seconds = None;
            progress.note = None;
            if phase.is_over() || phase == Phase::Committed {
                progress.lag = 0;
            }
        });
    }

    /// So many rows of this phase were done by a process before.
    pub(crate) fn resume(&self, rows: u64) {
        let mut began = self.began.lock();
        *began = Began::now(rows, began.counted);
        self.progress.send_modify(|progress| {
            progress.done(rows);
        });
    }

    pub(crate) fn rows(&self, table: &str, more: u64) {
        let began = *self.began.lock();
        let lasted = began.at.elapsed();
        let seconds = lasted.as_secs_f64();
        self.progress.send_modify(|progress| {
            progress.done(progress.rows_done + more);
            progress.table = Some(table.to_owned());
            if seconds > 0.0 {
                progress.rows_per_second = progress.rows_done.saturating_sub(began.done) as f64 / seconds;
            }
            let left = progress.rows_total.saturating_sub(progress.rows_done) as f64;
            let is_settled = lasted >= FORESEEN;
            let known = is_settled && progress.rows_per_second > 0.0 && progress.rows_total > 0;
            progress.eta_seconds = known.then(|| left / progress.rows_per_second);
        });
    }

    /// Whether more rows of this phase were done than there were when it began.
    pub(crate) fn is_outrun(&self) -> bool {
        let counted = self.began.lock().counted;
        counted > 0 && self.progress.borrow().rows_done > counted
    }

    /// Says why it does not go on, until the next phase begins.
    pub(crate) fn note(&self, note: String) {
        self.progress.send_if_modified(|progress| {
            let is_news = progress.note.as_deref() != Some(&note);
            progress.note = Some(note);
            is_news
        });
    }

    /// Says what a step of following leaves behind: nothing at the end of the feed, and before it as much
    /// again, for all that is known.
    pub(crate) fn followed(&self, step: Step) {
        self.progress.send_modify(|progress| progress.lag = if step.at_end { 0 } else { step.applied });
    }

    pub(crate) fn failed(&self, reason: &str) {
        self.progress.send_modify(|progress| progress.failure = Some(reason.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_came_meanwhile_are_among_all_rows() {
        let meter = Meter::new(1, "main", "cloud", Phase::Planned);
        let rows = || (meter.watch().borrow().rows_done, meter.watch().borrow().rows_total);
        meter.enter(Phase::Copying, 20);
        meter.resume(5);
        meter.rows("notes", 10);
        assert_eq!((rows(), meter.is_outrun()), ((15, 20), false));
        meter.rows("notes", 10);
        assert_eq!((rows(), meter.is_outrun()), ((25, 25), true));
        // What was not counted is not known by what was done.
        meter.enter(Phase::Verifying, 0);
        meter.rows("notes", 10);
        assert_eq!((rows(), meter.is_outrun()), ((10, 0), false));
    }
}
