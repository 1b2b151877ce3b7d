//! Leave to do an operation, and what it is good for.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};
use truststream_kernel::{Context, Error, ErrorKind, Outcome, Result};
use truststream_services::database::Step;

use super::flights::Flight;
use super::{Gate, Plea, Touch, split};
use crate::Route;

/// Leave to go to the route's owner; a write is in flight until it is dropped.
pub struct Pass {
    route: Arc<Route>,
    touch: Touch,
    owner: Arc<str>,
    counted: Option<Counted>,
}

/// A write that is in flight.
struct Counted {
    by: Arc<Gate>,
    life: u64,
    flight: Flight,
    began: Instant,
}

impl Pass {
    pub(super) fn uncounted(route: Arc<Route>, touch: Touch, owner: Arc<str>) -> Self {
        Pass { route, touch, owner, counted: None }
    }

    pub(super) fn counted(
        route: Arc<Route>,
        touch: Touch,
        owner: Arc<str>,
        life: u64,
        flight: Flight,
        by: Arc<Gate>,
    ) -> Self {
        Pass { route, touch, owner, counted: Some(Counted { by, life, flight, began: Instant::now() }) }
    }

    /// The backend that serves all that it was admitted to.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// What a step of a transaction touches of what that was admitted to.
    ///
    /// # Errors
    /// `Conflict` (`BACKEND_018`) if it touches something else.
    pub fn admits(&self, cx: &Context, step: &Step) -> Result<Touch> {
        let touch = Plea::of_step(cx, step).touch(&self.route);
        if touch.is_within(self.touch) { Ok(touch) } else { Err(split(touch, &self.route)) }
    }

    /// The route under which the operation was admitted.
    pub fn route(&self) -> &Route {
        &self.route
    }

    /// Counts a write that was done, before anybody is told. Where the backend that did it was lost
    /// meanwhile, and another one took its place, it must not be acknowledged.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_021`), outcome unknown, in that case.
    pub fn acknowledge(&self) -> Result<()> {
        let Some(Counted { by: gate, .. }) = &self.counted else { return Ok(()) };
        // Counted first: whoever reads the count after a change of route has all that were told.
        gate.acknowledged.fetch_add(1, Ordering::SeqCst);
        let now = gate.route.borrow();
        // A part that had moved before is held by no fence when the rest follows it.
        let came_to_own = *self.owner != *self.route.owner && now.owner == *self.owner;
        if now.reign == self.route.reign || came_to_own { Ok(()) } else { Err(lost()) }
    }

    /// Does what was admitted, for as long as the lease lasts under which it was. The clock is looked
    /// at before the work is: a process that was frozen must not go on where it stood.
    ///
    /// # Errors
    /// `Unavailable` (`BACKEND_015`), outcome unknown, when the lease ends before; else the work's own.
    pub async fn within<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(counted) = self.counted.as_ref() else { return work.await };
        let Some(end) = counted.by.writes.lock().lease else { return work.await };
        let (mut work, mut end) = (pin!(work), pin!(sleep_until(end)));
        poll_fn(|task| {
            loop {
                let Some(lease) = counted.lease() else { return Poll::Ready(Err(lapsed())) };
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
}

impl Counted {
    /// The end of the lease under which it was admitted, if that has not come.
    fn lease(&self) -> Option<Instant> {
        let writes = self.by.writes.lock();
        writes.lease.filter(|end| Instant::now() < *end && writes.life == self.life)
    }
}

fn lost() -> Error {
    let message = "the backend was lost while it wrote, and another one serves now";
    Error::new(ErrorKind::Unavailable, "BACKEND_021", message)
        .with_outcome(Outcome::Unknown)
        .with_hint("read whether the write is there before repeating it")
}

fn lapsed() -> Error {
    let message = "this gateway lost touch with the others; the write was broken off";
    Error::new(ErrorKind::Unavailable, "BACKEND_015", message)
        .with_outcome(Outcome::Unknown)
        .with_hint("read whether the write is there before repeating it")
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut writes = self.by.writes.lock();
        if writes.life == self.life {
            writes.in_flight.end(self.flight);
            writes.tempo.note(self.began);
            self.by.drained.notify_waiters();
        }
    }
}
