//! The wires between nodes and servers, which have a clock of their own: what is under way arrives,
//! whatever becomes of who sent it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::sleep;
use truststream_kernel::{Error, Outcome, Result};

/// How long a driver waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A server at the end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Control,
    Main,
    Cloud,
}

/// What a wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing arrives, and nobody is told.
    Silent,
    /// What is asked arrives, and no answer does.
    Deaf,
    /// Whatever is asked fails at once.
    Cut,
    /// Everything arrives about so much later.
    Slow(Duration),
    /// What makes a target ready, or empties it, arrives about so much later; everything else as ever.
    SlowToPrepare(Duration),
}

/// All wires.
pub struct Network {
    clock: Handle,
    random: Mutex<StdRng>,
    /// Longest time that something sound is under way, in milliseconds.
    longest: u64,
    bad: Mutex<BTreeMap<(usize, Place), Condition>>,
    down: Mutex<BTreeMap<Place, ()>>,
}

impl Network {
    pub fn new(clock: Handle, seed: u64, longest: u64) -> Arc<Self> {
        let random = Mutex::new(StdRng::seed_from_u64(seed ^ 0x6e65_7477));
        Arc::new(Network { clock, random, longest, bad: Mutex::default(), down: Mutex::default() })
    }

    /// Changes what the wire from a node to a server does; sound if `None`.
    pub fn set(&self, node: usize, place: Place, condition: Option<Condition>) {
        let mut bad = self.bad.lock();
        match condition {
            Some(condition) => drop(bad.insert((node, place), condition)),
            None => drop(bad.remove(&(node, place))),
        }
    }

    /// Stops a server, which keeps what is durable, or starts it again.
    pub fn stop(&self, place: Place, down: bool) {
        let mut places = self.down.lock();
        if down {
            places.insert(place, ());
        } else {
            places.remove(&place);
        }
    }

    fn delay(&self, slow: Option<Duration>) -> Duration {
        let mut random = self.random.lock();
        // Most answers come soon, some don't.
        let ms = if random.random_range(0..50) == 0 { self.longest } else { 4 };
        let slow = slow.map_or(0, |slow| u64::try_from(slow.as_millis()).unwrap_or(u64::MAX));
        Duration::from_millis(random.random_range(0..ms) + random.random_range(slow / 2..=slow + slow / 2))
    }
}

/// The wire from a node to a server.
#[derive(Clone)]
pub struct Wire {
    pub network: Arc<Network>,
    pub node: usize,
    pub place: Place,
}

impl Wire {
    fn condition(&self) -> Option<Condition> {
        self.network.bad.lock().get(&(self.node, self.place)).copied()
    }

    async fn travel(&self, prepares: bool) {
        let slow = match self.condition() {
            Some(Condition::Slow(time)) => Some(time),
            Some(Condition::SlowToPrepare(time)) if prepares => Some(time),
            _ => None,
        };
        sleep(self.network.delay(slow)).await;
    }

    /// Whether something gets through, to the server or back from it.
    async fn passes(&self, back: bool) -> bool {
        if self.network.down.lock().contains_key(&self.place) {
            return false;
        }
        match self.condition() {
            Some(Condition::Cut) => false,
            Some(Condition::Deaf) if !back => true,
            Some(Condition::Silent | Condition::Deaf) => {
                sleep(PATIENCE).await;
                false
            }
            Some(Condition::Slow(_) | Condition::SlowToPrepare(_)) | None => true,
        }
    }

    /// Has work done by the server.
    ///
    /// # Errors
    /// The work's own; `Unavailable`, outcome unknown, if no answer came.
    pub async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> BoxFuture<'static, Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.done(false, work).await
    }

    /// Has a target made ready or emptied.
    ///
    /// # Errors
    /// As [`Wire::call`].
    pub async fn prepare<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> BoxFuture<'static, Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.done(true, work).await
    }

    async fn done<T: Send + 'static>(
        &self,
        prepares: bool,
        work: impl FnOnce() -> BoxFuture<'static, Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let wire = self.clone();
        self.network.clock.spawn(async move {
            wire.travel(prepares).await;
            if !wire.passes(false).await {
                return;
            }
            let done = work().await;
            wire.travel(prepares).await;
            if wire.passes(true).await {
                // Whoever asked may be gone.
                let _ = reply.send(done);
            }
        });
        answer.await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("{:?} did not answer", self.place)).with_outcome(Outcome::Unknown))
        })
    }

    /// Tells the node something, unless the wire is in a bad condition.
    pub fn tell(&self, news: impl FnOnce() + Send + 'static) {
        let wire = self.clone();
        self.network.clock.spawn(async move {
            wire.travel(false).await;
            if wire.condition().is_none() {
                news();
            }
        });
    }
}
