//! Where every operation asks which backend it goes to, and where writes wait for a route.

mod flights;
mod pass;
mod plea;
mod rows;
mod tempo;
#[cfg(test)]
mod tests;
mod touch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};
use truststream_kernel::{Effect, Error, ErrorKind, Result, Retry};

use crate::Route;
use crate::followed::Followed;
use crate::machine::Tie;
use flights::Flights;
use tempo::Tempo;

pub use pass::Pass;
pub use plea::Plea;
pub use touch::Touch;

/// Which parts of a route an operation may touch. It is asked under a lock of the gate, and asks
/// nothing of it.
pub type Reach<'r> = &'r (dyn Fn(&Route) -> Touch + Sync);

/// Admits operations to the owner of the route.
///
/// Reads and administration always pass. Writes pass while the route is open and are counted until
/// they are done; while a part that they may touch is fenced they wait, at most for the hold time and
/// so many at once. What no single backend serves is refused. Among
/// several gateways the same holds while this one has no lease, and a write that is in flight when the
/// lease ends is broken off.
pub struct Gate {
    route: Followed<Arc<Route>>,
    writes: Mutex<Writes>,
    drained: Notify,
    limits: Held,
    acknowledged: AtomicU64,
    redefined: AtomicU64,
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
    in_flight: Flights,
    tempo: Tempo,
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
            route: Followed::new(Arc::new(route)),
            writes: Mutex::new(Writes::default()),
            drained: Notify::new(),
            limits,
            acknowledged: AtomicU64::new(0),
            redefined: AtomicU64::new(0),
        })
    }

    /// The route at this moment.
    pub fn route(&self) -> Arc<Route> {
        Arc::clone(&self.route.borrow())
    }

    /// Follows the route.
    pub fn watch(&self) -> watch::Receiver<Arc<Route>> {
        self.route.follow()
    }

    /// Asks for passage to what belongs to no part. Writes may wait here.
    ///
    /// # Errors
    /// As [`Gate::admit_to`].
    pub async fn admit(self: &Arc<Self>, effect: Effect) -> Result<Pass> {
        self.admit_to(effect, &|_| Touch::REST).await
    }

    /// Asks for passage to parts. Writes may wait here.
    ///
    /// # Errors
    /// `Fenced` (`BACKEND_006`, nothing applied) when one of them stays fenced past the hold time or
    /// too many writes wait already; `Conflict` (`BACKEND_018`) when two backends serve them.
    pub async fn admit_to(self: &Arc<Self>, effect: Effect, reach: Reach<'_>) -> Result<Pass> {
        if effect != Effect::Write {
            let route = self.route();
            let touch = reach(&route);
            let owner = served(touch, &route)?;
            return Ok(Pass::uncounted(route, touch, owner));
        }
        match self.enter(reach)? {
            Some(pass) => Ok(pass),
            None => self.wait_for_route(reach).await,
        }
    }

    /// Counts a write in, unless a part that it may touch is fenced. The check and the count are one
    /// step, so a fence never misses a write that passed it.
    fn enter(self: &Arc<Self>, reach: Reach<'_>) -> Result<Option<Pass>> {
        let mut writes = self.writes.lock();
        let route = self.route();
        let touch = reach(&route);
        if touch.meets(Touch::held(&route)) || writes.has_lapsed() {
            return Ok(None);
        }
        let owner = served(touch, &route)?;
        let flight = writes.in_flight.begin(touch);
        let life = writes.life;
        Ok(Some(Pass::counted(route, touch, owner, life, flight, Arc::clone(self))))
    }

    /// Remembers what one operation touches together, so that it can be one part.
    pub fn note(&self, route: &Route, touch: Touch) {
        // Tenants that one request writes to stay tenants of their own.
        let are_sets = route.division.as_ref().is_some_and(|division| division.tenancy.is_none());
        if are_sets && touch.is_several() {
            let mut writes = self.writes.lock();
            let present = self.route();
            writes.in_flight.note(touch, route, &present);
        }
    }

    /// Parts that were touched together since they were named, and the route in force that names them.
    pub(crate) fn touched_together(&self) -> (Arc<Route>, Vec<Tie>) {
        let writes = self.writes.lock();
        let route = self.route();
        let ties = route.division.as_ref().map(|division| writes.in_flight.together(division));
        (route, ties.unwrap_or_default())
    }

    async fn wait_for_route(self: &Arc<Self>, reach: Reach<'_>) -> Result<Pass> {
        let since = Instant::now();
        let (_place, hold) = self.take_place()?;
        let mut routes = self.watch();
        loop {
            if let Some(pass) = self.enter(reach)? {
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
        let mut writes = self.writes.lock();
        if stored.epoch > self.route().epoch {
            writes.in_flight.see(&self.route(), &stored);
            self.route.replace(Arc::new(stored));
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
        writes.in_flight = Flights::default();
        writes.lease = Some(end);
        self.drained.notify_waiters();
        // Those that wait look at the lease when they look at the route.
        let present = self.route();
        self.route.replace(if stored.epoch > present.epoch { Arc::new(stored) } else { present });
    }

    /// Whether writes are held for want of a lease.
    pub(crate) fn has_lapsed(&self) -> bool {
        self.writes.lock().has_lapsed()
    }

    /// Whether another stage of a divided database's feed may have begun without this process having
    /// heard of it: none begins before all have acknowledged a fence, or are out of touch. What is read
    /// meanwhile may be of that stage, before its turn.
    pub fn may_be_behind(&self) -> bool {
        let route = self.route();
        route.division.is_some() && (route.is_held() || self.has_lapsed())
    }

    /// How long writes wait at a fence from now on; `None` is as configured.
    pub fn hold(&self, time: Option<Duration>) {
        self.writes.lock().hold = time;
    }

    /// Waits until no write is in flight that may touch what the present fence holds; without a fence,
    /// until none is.
    pub async fn drained(&self) {
        loop {
            let mut drained = std::pin::pin!(self.drained.notified());
            drained.as_mut().enable();
            {
                let writes = self.writes.lock();
                let held = Touch::held(&self.route());
                if writes.in_flight.is_free(if held == Touch::NONE { Touch::ALL } else { held }) {
                    return;
                }
            }
            drained.await;
        }
    }

    /// The median time that writes took which began since then, from their admission to their end;
    /// `None` if they were too few to say.
    pub(crate) fn tempo(&self, since: Instant) -> Option<Duration> {
        self.writes.lock().tempo.median(since)
    }

    /// Writes that were acknowledged so far, by this process.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Notes that the schema may have been changed, before anybody is told.
    pub fn redefine(&self) {
        self.redefined.fetch_add(1, Ordering::SeqCst);
    }

    /// How often this process may have changed the schema so far.
    pub fn redefined(&self) -> u64 {
        self.redefined.load(Ordering::SeqCst)
    }

    /// Writes that waited so far, and the longest wait; both start again from zero.
    pub fn take_held(&self) -> (u64, Duration) {
        let mut writes = self.writes.lock();
        (std::mem::take(&mut writes.held), std::mem::take(&mut writes.longest))
    }
}

/// The backend that serves all that is touched.
fn served(touch: Touch, route: &Route) -> Result<Arc<str>> {
    touch.owner(route).map(Arc::from).ok_or_else(|| split(touch, route))
}

/// The error of what two backends serve.
fn split(touch: Touch, route: &Route) -> Error {
    let message = format!("two backends serve what this may touch at the moment: {}", touch.names(route));
    let tenancy = route.division.as_ref().and_then(|division| division.tenancy.as_ref());
    let hint = match tenancy.and_then(|tenancy| tenancy.tables.first()) {
        Some((_, column)) => format!(
            "name one tenant in a filter or in every row ({column}), without tables that tenants share and \
             without changing whose a row is; or repeat it once `truststream switch status` says committed"
        ),
        None => "make it requests of one part each, or repeat it once `truststream switch status` says \
                 committed"
            .to_owned(),
    };
    Error::new(ErrorKind::Conflict, "BACKEND_018", message).with_retry(Retry::Never).with_hint(hint)
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
