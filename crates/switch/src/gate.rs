//! Where every operation asks which backend it goes to, and where writes wait for a route.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use truststream_kernel::{Effect, Error, ErrorKind, Result};

use crate::Route;

/// Admits operations to the owner of the route.
///
/// Reads and administration always pass. Writes pass while the route is open and are counted until
/// they are done; while it is fenced they wait, at most for the hold time and so many at once.
pub struct Gate {
    route: watch::Sender<Arc<Route>>,
    writes: Mutex<Writes>,
    drained: Notify,
    limits: Held,
}

/// How long and how many writes may wait at a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Longest wait; then the write is refused (`Fenced`, retry later) without effect.
    pub time: Duration,
    /// Most writes waiting at once.
    pub count: usize,
}

impl Default for Held {
    fn default() -> Self {
        Held { time: Duration::from_secs(2), count: 10_000 }
    }
}

#[derive(Default)]
struct Writes {
    in_flight: usize,
    waiting: usize,
    held: u64,
    longest: Duration,
    hold: Option<Duration>,
}

impl Gate {
    /// A gate on a route.
    pub fn new(route: Route, limits: Held) -> Arc<Self> {
        Arc::new(Gate {
            route: watch::Sender::new(Arc::new(route)),
            writes: Mutex::new(Writes::default()),
            drained: Notify::new(),
            limits,
        })
    }

    /// The route at this moment.
    pub fn route(&self) -> Arc<Route> {
        Arc::clone(&self.route.borrow())
    }

    /// Follows the route.
    pub fn watch(&self) -> watch::Receiver<Arc<Route>> {
        self.route.subscribe()
    }

    /// Asks for passage. Writes may wait here.
    ///
    /// # Errors
    /// `Fenced` (`BACKEND_006`, nothing applied) when the route stays fenced past the hold time or
    /// too many writes wait already.
    pub async fn admit(self: &Arc<Self>, effect: Effect) -> Result<Pass> {
        if effect != Effect::Write {
            return Ok(Pass { route: self.route(), counted_by: None });
        }
        match self.enter() {
            Some(pass) => Ok(pass),
            None => self.wait_for_route().await,
        }
    }

    /// Counts a write in, unless the route is fenced. The check and the count are one step, so a
    /// fence never misses a write that passed it.
    fn enter(self: &Arc<Self>) -> Option<Pass> {
        let mut writes = self.writes.lock();
        let route = self.route();
        if route.fenced {
            return None;
        }
        writes.in_flight += 1;
        Some(Pass { route, counted_by: Some(Arc::clone(self)) })
    }

    async fn wait_for_route(self: &Arc<Self>) -> Result<Pass> {
        let since = Instant::now();
        let (_place, hold) = self.take_place()?;
        let mut routes = self.watch();
        loop {
            if let Some(pass) = self.enter() {
                let mut writes = self.writes.lock();
                writes.longest = writes.longest.max(since.elapsed());
                return Ok(pass);
            }
            let changed = timeout_at(since + hold, routes.changed()).await;
            if !matches!(changed, Ok(Ok(()))) {
                return Err(fenced("writes are held back while the backend changes"));
            }
        }
    }

    fn take_place(&self) -> Result<(Place<'_>, Duration)> {
        let mut writes = self.writes.lock();
        if writes.waiting >= self.limits.count {
            return Err(fenced("too many writes wait while the backend changes"));
        }
        writes.waiting += 1;
        writes.held += 1;
        Ok((Place(self), writes.hold.unwrap_or(self.limits.time)))
    }

    /// Puts a stored route into force; one that is not newer than the present one changes nothing.
    pub fn adopt(&self, stored: Route) {
        // Under the same lock as `enter`: whoever saw the old route is counted already.
        let _writes = self.writes.lock();
        if stored.epoch > self.route().epoch {
            self.route.send_replace(Arc::new(stored));
        }
    }

    /// How long writes wait at a fence from now on; `None` is as configured.
    pub fn hold(&self, time: Option<Duration>) {
        self.writes.lock().hold = time;
    }

    /// Waits until no write that passed before the fence is in flight.
    pub async fn drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            if self.writes.lock().in_flight == 0 {
                return;
            }
            drained.await;
        }
    }

    /// Writes that waited so far, and the longest wait; both start again from zero.
    pub fn take_held(&self) -> (u64, Duration) {
        let mut writes = self.writes.lock();
        (std::mem::take(&mut writes.held), std::mem::take(&mut writes.longest))
    }
}

fn fenced(message: &'static str) -> Error {
    Error::new(ErrorKind::Fenced, "BACKEND_006", message).with_hint("repeat the request in a moment")
}

struct Place<'a>(&'a Gate);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.writes.lock().waiting -= 1;
    }
}

/// Leave to go to the route's owner; a write is in flight until it is dropped.
pub struct Pass {
    route: Arc<Route>,
    counted_by: Option<Arc<Gate>>,
}

impl Pass {
    /// The route under which the operation was admitted.
    pub fn route(&self) -> &Route {
        &self.route
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = &self.counted_by {
            let mut writes = gate.writes.lock();
            writes.in_flight -= 1;
            if writes.in_flight == 0 {
                gate.drained.notify_waiters();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Gate::new(Route::first("main"), Held { time: Duration::from_millis(200), count: 1 })
    }

    #[tokio::test]
    async fn a_fence_waits_for_writes_in_flight_and_holds_new_ones() {
        let gate = gate();
        let in_flight = gate.admit(Effect::Write).await.unwrap();
        gate.adopt(gate.route().fence(u64::MAX));
        assert!(tokio::time::timeout(Duration::from_millis(20), gate.drained()).await.is_err());

        let held = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.admit(Effect::Write).await.map(|pass| pass.route().owner.clone()) }
        });
        while gate.writes.lock().waiting == 0 {
            tokio::task::yield_now().await;
        }
        drop(in_flight);
        gate.drained().await;
        assert!(gate.admit(Effect::Read).await.is_ok());
        let end = truststream_services::database::Position::Sequence(1);
        gate.adopt(gate.route().hand_over("cloud", end.clone(), end));
        assert_eq!(held.await.unwrap().unwrap(), "cloud");
        assert_eq!(gate.take_held().0, 1);
    }

    #[tokio::test]
    async fn a_write_held_too_long_is_refused_without_effect() {
        let gate = gate();
        gate.adopt(gate.route().fence(u64::MAX));
        let error = gate.admit(Effect::Write).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Fenced);
        assert_eq!(error.outcome(), truststream_kernel::Outcome::NotApplied);
    }

    #[tokio::test]
    async fn a_route_that_comes_late_changes_nothing() {
        let gate = gate();
        let (open, fenced) = (gate.route(), gate.route().fence(u64::MAX));
        gate.adopt(fenced.lift());
        gate.adopt(fenced);
        assert_eq!((gate.route().epoch, gate.route().fenced), (open.epoch + 2, false));
    }
}
