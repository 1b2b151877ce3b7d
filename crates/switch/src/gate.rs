//! Where every operation asks which backend it goes to, and where writes wait for a route.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use truststream_kernel::{Effect, Error, ErrorKind, Outcome, Result};

use crate::Route;

/// Admits operations to the owner of the route.
///
/// Reads and administration always pass. Writes pass while the route is open and are counted until
/// they are done; while it is fenced they wait, at most for the hold time and so many at once. Among
/// several gateways the same holds while this one has no lease, and a write that is in flight when the
/// lease ends is broken off.
pub struct Gate {
    route: watch::Sender<Arc<Route>>,
    writes: Mutex<Writes>,
    drained: Notify,
    limits: Held,
    acknowledged: AtomicU64,
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
    /// Until when writes may be admitted and in flight; always if absent.
    lease: Option<Instant>,
    /// Grows when a lease is taken anew: what was admitted before is over.
    life: u64,
}

impl Writes {
    fn has_lapsed(&self) -> bool {
        self.lease.is_some_and(|end| Instant::now() >= end)
    }
}

impl Gate {
    /// A gate on a route.
    pub fn new(route: Route, limits: Held) -> Arc<Self> {
        Arc::new(Gate {
            route: watch::Sender::new(Arc::new(route)),
            writes: Mutex::new(Writes::default()),
            drained: Notify::new(),
            limits,
            acknowledged: AtomicU64::new(0),
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
            return Ok(Pass { route: self.route(), life: 0, counted_by: None });
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
        if route.fenced || writes.has_lapsed() {
            return None;
        }
        writes.in_flight += 1;
        Some(Pass { route, life: writes.life, counted_by: Some(Arc::clone(self)) })
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
                return Err(if self.writes.lock().has_lapsed() {
                    fenced("this gateway has lost touch with the others and holds writes back")
                } else {
                    fenced("writes are held back while the backend changes")
                });
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

    /// Writes may be admitted, and in flight, until then.
    pub(crate) fn renew(&self, end: Instant) {
        let mut writes = self.writes.lock();
        if !writes.has_lapsed() {
            writes.lease = Some(end);
        }
    }

    /// No write is admitted, and what is in flight is broken off.
    pub(crate) fn lapse(&self) {
        self.writes.lock().lease = Some(Instant::now());
    }

    /// Writes may be admitted again until then, under this route if it is newer. Nothing that was
    /// admitted before can go on.
    pub(crate) fn begin_anew(&self, stored: Route, end: Instant) {
        let mut writes = self.writes.lock();
        writes.life += 1;
        writes.in_flight = 0;
        writes.lease = Some(end);
        self.drained.notify_waiters();
        // Those that wait look at the lease when they look at the route.
        self.route.send_modify(|route| {
            if stored.epoch > route.epoch {
                *route = Arc::new(stored);
            }
        });
    }

    /// Whether writes are held for want of a lease.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.writes.lock().has_lapsed()
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

    /// Writes that were acknowledged so far, by this process.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
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
    life: u64,
    counted_by: Option<Arc<Gate>>,
}

impl Pass {
    /// The route under which the operation was admitted.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Counts a write that was done, before anybody is told. Where the backend that did it was lost
    /// meanwhile, and another one took its place, it must not be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_016`), outcome unknown, in that case.
    pub fn acknowledge(&self) -> Result<()> {
        let Some(gate) = &self.counted_by else { return Ok(()) };
        // Counted first: whoever reads the count after a change of route has all that were told.
        gate.acknowledged.fetch_add(1, Ordering::SeqCst);
        if gate.route.borrow().reign == self.route.reign { Ok(()) } else { Err(lost()) }
    }

    /// Does what was admitted, for as long as the lease lasts under which it was. The clock is looked
    /// at before the work is: a process that was frozen must not go on where it stood.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_015`), outcome unknown, when the lease ends before; else the work's own.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(gate) = self.counted_by.as_ref() else { return work.await };
        let Some(end) = gate.writes.lock().lease else { return work.await };
        let (mut work, mut end) = (pin!(work), pin!(sleep_until(end)));
        poll_fn(|task| {
            loop {
                let Some(lease) = self.lease(gate) else { return Poll::Ready(Err(lapsed())) };
                if let Poll::Ready(done) = work.as_mut().poll(task) {
                    return Poll::Ready(done);
                }
                if end.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
                end.as_mut().reset(lease);
            }
        })
        .await
    }

    /// The end of the lease under which it was admitted, if that has not come.
    fn lease(&self, gate: &Gate) -> Option<Instant> {
        let writes = gate.writes.lock();
        writes.lease.filter(|end| Instant::now() < *end && writes.life == self.life)
    }
}

fn lost() -> Error {
    let message = "the backend was lost while it wrote, and another one serves now";
    Error::new(ErrorKind::Unavailable, "BACKEND_016", message)
        .with_outcome(Outcome::Unknown)
        .with_hint("read whether the write is there before repeating it")
}

fn lapsed() -> Error {
    let message = "this gateway lost touch with the others; the write was broken off";
    Error::new(ErrorKind::Unavailable, "BACKEND_015", message).with_outcome(Outcome::Unknown)
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(gate) = &self.counted_by {
            let mut writes = gate.writes.lock();
            if writes.life != self.life {
                return;
            }
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
    async fn without_a_lease_writes_wait_and_those_in_flight_are_broken_off() {
        let gate = gate();
        gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_millis(50));
        let pass = gate.admit(Effect::Write).await.unwrap();
        let error = pass.within(std::future::pending::<Result<()>>()).await.unwrap_err();
        assert_eq!((error.code(), error.outcome()), ("BACKEND_015", Outcome::Unknown));
        assert_eq!(gate.admit(Effect::Write).await.err().unwrap().kind(), ErrorKind::Fenced);
        assert!(gate.admit(Effect::Read).await.is_ok());
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.admit(Effect::Write).await.is_ok() }
        });
        while gate.writes.lock().waiting == 0 {
            tokio::task::yield_now().await;
        }
        gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_secs(5));
        assert!(waiting.await.unwrap());
        let error = pass.within(async { Ok(()) }).await.unwrap_err();
        assert_eq!(error.code(), "BACKEND_015", "it was admitted under the lease before");
    }

    #[tokio::test]
    async fn what_is_in_flight_goes_on_as_long_as_the_lease_is_renewed() {
        let gate = gate();
        gate.begin_anew(Route::first("main"), Instant::now() + Duration::from_millis(60));
        let pass = gate.admit(Effect::Write).await.unwrap();
        let work = async {
            tokio::time::sleep(Duration::from_millis(120)).await;
            Ok(7)
        };
        let renewal = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            gate.renew(Instant::now() + Duration::from_secs(5));
        };
        let (done, ()) = tokio::join!(pass.within(work), renewal);
        assert_eq!(done.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_a_lost_backend_did_is_counted_and_not_acknowledged() {
        let gate = gate();
        let (before, read) =
            (gate.admit(Effect::Write).await.unwrap(), gate.admit(Effect::Read).await.unwrap());
        before.acknowledge().unwrap();
        let end = truststream_services::database::Position::Sequence(1);
        gate.adopt(gate.route().hand_over("spare", end.clone(), end));
        let error = before.acknowledge().unwrap_err();
        assert_eq!((error.code(), error.outcome()), ("BACKEND_016", Outcome::Unknown));
        read.acknowledge().unwrap();
        assert_eq!(gate.acknowledged(), 2, "whoever asks after the change of route knows of both");
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
