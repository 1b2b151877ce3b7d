//! What one process knows of itself and of the others that share the control store.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ambient::new_name;
use crate::followed::Followed;
use crate::machine::{Event, Hold, State, Still};

/// How this process is one of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// What people call this process.
    pub label: String,
    /// How long leases last.
    pub lease: Duration,
}

impl Default for Fleet {
    fn default() -> Self {
        Fleet { label: String::new(), lease: Duration::from_secs(3) }
    }
}

impl Fleet {
    /// How often a lease is renewed.
    pub(crate) fn beat(&self) -> Duration {
        self.lease / 6
    }

    /// How much earlier its holder takes a lease as over than everybody else: time to break off what
    /// is in flight.
    pub(crate) fn margin(&self) -> Duration {
        self.lease / 6
    }
}

/// This process among those that share a control store.
pub(crate) struct Node {
    /// `None` for the only process there is.
    pub(crate) fleet: Option<Fleet>,
    own: Mutex<Own>,
    sightings: Mutex<Sightings>,
    /// How often the state had been written that was seen last.
    latest: Mutex<i64>,
    states: Followed<Option<State>>,
    /// What runs until this process is one of several no more, or nobody uses its gate.
    tasks: Mutex<JoinSet<()>>,
}

/// The state as it was stored at a time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    pub(crate) state: State,
    /// How often it had been written.
    pub(crate) version: i64,
}

#[derive(Clone, Default)]
struct Own {
    name: String,
    term: u64,
}

/// When each lease was last seen to be alive, and the present fence first.
#[derive(Default)]
struct Sightings {
    gateways: BTreeMap<String, (u64, Instant)>,
    coordinator: Option<(Still, Instant)>,
    fence: Option<(Fence, Instant)>,
}

/// The epoch of a fence and how long it is to stand.
type Fence = (u64, Option<Hold>);

impl Node {
    pub(crate) fn new(fleet: Option<Fleet>) -> Self {
        let node = Node {
            fleet,
            own: Mutex::default(),
            sightings: Mutex::default(),
            latest: Mutex::default(),
            states: Followed::new(None),
            tasks: Mutex::default(),
        };
        node.begin_anew();
        node
    }

    /// Has it run in the background, until [`Node::rest`].
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends what runs in the background.
    pub(crate) async fn rest(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
    }

    /// Its name, under which its gate is a gateway of the stored state; another in each life.
    pub(crate) fn name(&self) -> String {
        self.own.lock().name.clone()
    }

    /// A new name; leads nothing.
    pub(crate) fn begin_anew(&self) -> String {
        let name = new_name();
        *self.own.lock() = Own { name: name.clone(), term: 0 };
        name
    }

    /// The term under which it leads switches; 0, under which nothing is done, when it does not.
    pub(crate) fn term(&self) -> u64 {
        self.own.lock().term
    }

    /// The state as it was seen last.
    pub(crate) fn state(&self) -> Option<State> {
        self.states.borrow().clone()
    }

    /// Follows the state as it is seen.
    pub(crate) fn states(&self) -> watch::Receiver<Option<State>> {
        self.states.follow()
    }

    /// Remembers what is stored at this moment. What was read before something newer, and answered after
    /// it, is nothing to go by: a fence that stands would be missing from it.
    pub(crate) fn saw(&self, Sight { state, version }: &Sight) {
        let mut latest = self.latest.lock();
        if *version < *latest {
            return;
        }
        *latest = *version;
        let now = Instant::now();
        {
            let mut own = self.own.lock();
            let leads = state.coordinator.holder == own.name;
            own.term = if leads { state.coordinator.term } else { 0 };
        }
        {
            let mut sightings = self.sightings.lock();
            sightings.gateways.retain(|name, _| state.gateways.contains_key(name));
            for (name, gateway) in &state.gateways {
                match sightings.gateways.get_mut(name) {
                    Some((beat, _)) if *beat == gateway.beat => {}
                    Some(seen) => *seen = (gateway.beat, now),
                    None => drop(sightings.gateways.insert(name.clone(), (gateway.beat, now))),
                }
            }
            let still = Still { term: state.coordinator.term, beat: state.coordinator.beat };
            if sightings.coordinator.is_none_or(|(seen, _)| seen != still) {
                sightings.coordinator = Some((still, now));
            }
            let fence = state.route.is_held().then_some((state.route.epoch, state.route.hold));
            if sightings.fence.map(|(seen, _)| seen) != fence {
                sightings.fence = fence.map(|fence| (fence, now));
            }
        }
        self.states.replace(Some(state.clone()));
    }

    /// How long ago each gateway's lease was seen to be renewed.
    pub(crate) fn ages(&self) -> BTreeMap<String, Duration> {
        let sightings = self.sightings.lock();
        sightings.gateways.iter().map(|(name, (_, seen))| (name.clone(), seen.elapsed())).collect()
    }

    /// Gateways, with the beat at which they stand still, that were not renewed for so long.
    pub(crate) fn silent(&self, time: Duration) -> Vec<(String, u64)> {
        let (own, sightings) = (self.name(), self.sightings.lock());
        let silent = |(name, (_, seen)): &(&String, &(u64, Instant))| **name != own && seen.elapsed() >= time;
        let found = sightings.gateways.iter().filter(silent);
        found.map(|(name, (beat, _))| (name.clone(), *beat)).collect()
    }

    /// What lifts the present fence, and when it may be done: it counts from when it was first seen here.
    pub(crate) fn fence(&self) -> Option<(Event, Instant)> {
        let ((epoch, hold), since) = self.sightings.lock().fence?;
        // As good as never.
        let far = since + Duration::from_secs(1 << 32);
        let due = since.checked_add(Hold::length(hold)).map_or(far, |due| due.min(far));
        Some((Event::Expire { epoch, hold }, due))
    }

    /// The coordinator's lease, if it has run out.
    pub(crate) fn still(&self) -> Option<Still> {
        let lease = self.fleet.as_ref()?.lease;
        let seen = self.sightings.lock().coordinator;
        seen.filter(|(_, since)| since.elapsed() >= lease).map(|(still, _)| still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Route;

    #[tokio::test]
    async fn what_was_read_earlier_and_answered_later_is_nothing_to_go_by() {
        let node = Node::new(None);
        let before = Sight { state: State::first(Route::first("main")), version: 1 };
        let lead = Event::Lead { node: node.name(), still: None };
        let after = Sight { state: before.state.apply(&lead).unwrap(), version: 2 };
        let mut states = node.states();
        node.saw(&after);
        node.saw(&before);
        assert_eq!((node.term(), node.state().as_ref()), (1, Some(&after.state)));
        assert_eq!(states.borrow_and_update().as_ref(), Some(&after.state));
    }
}
