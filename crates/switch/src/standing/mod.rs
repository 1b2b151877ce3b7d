//! A standing follower: a backend that is kept in sync with the one that serves, for good.
//!
//! It is brought up as the target of a switch is (copy, follow, compare) by the same code, and then
//! goes on following. Where it stands is stored in it, in the transactions that bring it there.

mod adopt;
mod failover;
mod follow;
mod lost;
mod returned;
mod status;

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::control::ControlStore;
use crate::records::Records;
use crate::shared::Shared;
use crate::{Options, Route, Routes, Sides};

pub use failover::{Failover, FailoverReport, Foreseen, LED_ELSEWHERE, Loss};
pub use lost::{LostRow, LostRows, Reapplied};
pub use returned::Returned;
pub use status::{MirrorPhase, MirrorStatus};

/// Longest wait before a side that does not answer is asked again.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// One backend that follows another whenever that one serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The backend that serves.
    pub from: String,
    /// The one that follows.
    pub to: String,
}

/// Keeps the mirror of whichever backend serves.
pub struct Mirrors {
    me: Weak<Mirrors>,
    shared: Shared,
    control: Arc<dyn ControlStore>,
    options: Options,
    pairs: Vec<Pair>,
    status: watch::Sender<Option<MirrorStatus>>,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Held while the mirror is worked on, by whoever does.
    turn: tokio::sync::Mutex<()>,
}

impl Mirrors {
    /// Mirrors of a project; nothing is done before [`Mirrors::start`].
    pub fn new(
        control: Arc<dyn ControlStore>,
        routes: Routes,
        sides: Arc<dyn Sides>,
        pairs: Vec<Pair>,
        options: Options,
    ) -> Arc<Self> {
        let records = Records::new(Arc::clone(&control), routes.clone());
        Arc::new_cyclic(|me| Mirrors {
            me: Weak::clone(me),
            shared: Shared::new(routes, records, sides),
            control,
            options,
            pairs,
            status: watch::Sender::default(),
            task: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Keeps mirrors from now on, until [`Mirrors::close`].
    pub fn start(self: &Arc<Self>) {
        let mut task = self.task.lock();
        if task.is_none() {
            *task = Some(tokio::spawn(Arc::clone(self).run()));
        }
    }

    /// Stops following; whoever starts it again goes on where the mirror stands.
    pub async fn close(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            // It ends by being aborted.
            let _ = task.await;
        }
    }

    /// How the mirror of the backend that serves stands; `None` where it has none.
    pub fn status(&self) -> Option<MirrorStatus> {
        let status = self.status.borrow().clone()?;
        let gate = self.shared.routes.gate();
        Some(status.at_this_moment(gate.acknowledged(), gate.redefined()))
    }

    /// The backend that follows the owner of this route: the one that was lost to it, or the one that
    /// is configured.
    async fn mirror_of(&self, route: &Route) -> Option<String> {
        match self.failover_to(&route.owner, route.reign).await {
            Ok(Some(failover)) => return Some(failover.report.from),
            Ok(None) => {}
            Err(error) => tracing::warn!(?error, "whether a backend was lost can't be told"),
        }
        let pair = self.pairs.iter().find(|pair| pair.from == route.owner);
        pair.map(|pair| pair.to.clone())
    }

    async fn run(self: Arc<Self>) {
        let mut routes = self.shared.routes.gate().watch();
        loop {
            let route = Arc::clone(&routes.borrow_and_update());
            let Some(to) = self.mirror_of(&route).await else {
                self.status.send_replace(None);
                if routes.changed().await.is_err() {
                    return;
                }
                continue;
            };
            self.status.send_replace(Some(MirrorStatus::new(&route.owner, &to)));
            tokio::select! {
                biased;
                () = self.keep(&route, &to) => {}
                over = reign_over(&mut routes, route.reign) => if over.is_err() { return },
            }
        }
    }

    /// Keeps the mirror of one reign, whatever fails meanwhile.
    async fn keep(&self, route: &Route, to: &str) {
        let mut delay = Duration::from_millis(200);
        loop {
            // Among several processes the one that leads switches does it.
            if !self.shared.routes.leads() {
                tokio::time::sleep(delay).await;
                continue;
            }
            let began = tokio::time::Instant::now();
            let Err(error) = self.shared.as_leader(self.follow(route, to)).await;
            tracing::warn!(?error, mirror = to, "the mirror could not be kept in sync; trying again");
            self.note(Some(error.message().to_owned()));
            if began.elapsed() > LONGEST_DELAY {
                delay = Duration::from_millis(200);
            }
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    fn update(&self, change: impl FnOnce(&mut MirrorStatus)) {
        self.status.send_if_modified(|status| status.as_mut().map(change).is_some());
    }

    fn note(&self, note: Option<String>) {
        self.update(|status| status.note = note);
    }
}

/// Completes when another backend has taken over.
async fn reign_over(
    routes: &mut watch::Receiver<Arc<Route>>,
    reign: u64,
) -> Result<(), watch::error::RecvError> {
    routes.wait_for(|route| route.reign != reign).await.map(drop)
}
