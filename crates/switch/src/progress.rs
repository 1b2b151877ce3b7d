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
    /// Rows of this phase in all, as counted at its beginning.
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

/// How long a phase has to last before it is told when it ends: its first rows tell nothing.
const FORESEEN: Duration = Duration::from_secs(1);

/// Where the steps of a switch say how far they are.
pub(crate) struct Meter {
    progress: watch::Sender<Progress>,
    /// When the phase began in this process, and the rows that were done before.
    began: Mutex<(Instant, u64)>,
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
        Meter { progress: watch::Sender::new(progress), began: Mutex::new((Instant::now(), 0)) }
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(crate) fn enter(&self, phase: Phase, rows_total: u64) {
        *self.began.lock() = (Instant::now(), 0);
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
        *self.began.lock() = (Instant::now(), rows);
        self.progress.send_modify(|progress| progress.rows_done = rows);
    }

    pub(crate) fn rows(&self, table: &str, more: u64) {
        let (began, before) = *self.began.lock();
        let seconds = began.elapsed().as_secs_f64();
        self.progress.send_modify(|progress| {
            progress.rows_done += more;
            progress.table = Some(table.to_owned());
            if seconds > 0.0 {
                progress.rows_per_second = progress.rows_done.saturating_sub(before) as f64 / seconds;
            }
            let left = progress.rows_total.saturating_sub(progress.rows_done) as f64;
            let is_settled = began.elapsed() >= FORESEEN;
            let known = is_settled && progress.rows_per_second > 0.0 && progress.rows_total > 0;
            progress.eta_seconds = known.then(|| left / progress.rows_per_second);
        });
    }

    /// Whether more rows of this phase were done than there were when it began.
    pub(crate) fn is_outrun(&self) -> bool {
        let progress = self.progress.borrow();
        progress.rows_total > 0 && progress.rows_done > progress.rows_total
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
