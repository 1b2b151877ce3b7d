//! What there is, and what may happen next.

use stateright::{Model, Property};
use truststream_switch::machine::State;

use super::checks;

/// What a checked world has and what may go wrong in it.
#[derive(Clone, Debug)]
pub struct World {
    pub nodes: usize,
    /// Writes that clients make, in all.
    pub writes: u8,
    /// Nodes that end.
    pub crashes: u8,
    /// Leases that run out while their holder is held up.
    pub expirations: u8,
    /// Mirrors that are made anew.
    pub remakes: u8,
    /// No fence is begun past this epoch.
    pub epochs: u64,
    pub shortcut: Option<Shortcut>,
}

/// What one node of a broken world does less than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// What was on its way to the mirror arrives after it serves.
    NotSealed,
    /// A write that ends after the mirror took over is acknowledged.
    AcknowledgedAfterwards,
    /// The mirror takes over while another gateway may have writes in flight.
    NotAwaited,
    /// A mirror is declared equal without being compared.
    Unverified,
}

/// 0 is the backend that serves first, 1 its mirror.
pub type Side = usize;

pub const NAMES: [&str; 2] = ["main", "spare"];

/// A write on its way to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    pub id: u8,
    pub side: Side,
}

/// Where the stream of a mirror stands, as the mirror stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the mirror.
    pub mirror: u64,
    /// How much of the other side's log is applied.
    pub count: u8,
    /// The epoch for which it was sealed last.
    pub seal: u64,
}

/// How far a node is with making the mirror serve. It is not stored: who comes after it begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Step {
    #[default]
    Idle,
    Fenced,
    Sealed {
        end: u8,
    },
    Armed {
        end: u8,
        start: u8,
    },
}

/// A process as it is in its own memory: a gateway, and perhaps who leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// Whoever comes back has another name.
    pub life: u8,
    pub epoch: u64,
    pub owner: Side,
    pub fenced: bool,
    pub in_flight: Option<InFlight>,
    /// It knows that its lease is over before anybody else does.
    pub lapsed: bool,
    pub term: Option<u64>,
    /// Where it believes that the mirror's stream stands, if it follows.
    pub at: Option<Place>,
    pub step: Step,
    /// A change on its way to the mirror, and where the stream must stand for it. It arrives, whatever
    /// becomes of the node.
    pub sent: Option<(Place, u8)>,
}

/// A line of the mirror's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub id: u8,
    /// Applied by a follower, not written by a client.
    pub applied: bool,
}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    pub state: State,
    pub nodes: Vec<Node>,
    pub main: Vec<u8>,
    pub mirror: Vec<Entry>,
    pub place: Place,
    pub next: u8,
    pub acknowledged: Vec<u8>,
    /// What was acknowledged when the mirror last held everything.
    pub safe: Vec<u8>,
    /// What is said to be lost, counted when the mirror took over.
    pub lost: Option<Vec<u8>>,
    pub crashes: u8,
    pub expirations: u8,
    pub remakes: u8,
    /// The mirror was compared since it was made.
    pub compared: bool,
    /// Seen on the way: a write acknowledged by a side that did not own the open route.
    pub two_owners: bool,
    /// Seen on the way: a mirror took over that had not been compared.
    pub unverified: bool,
    /// Who fenced last, and who made the mirror serve.
    pub fencer: Option<usize>,
    pub committer: Option<usize>,
}

/// What may happen. The number is the node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Write(usize),
    Accept(usize),
    Drop(usize),
    /// It sees the stored route.
    See(usize),
    Acknowledge(usize),
    /// Its lease is over by its own clock.
    Expire(usize),
    /// It is over by everybody's clock.
    Expel(usize),
    Return(usize),
    Crash(usize),
    Lead(usize),
    /// It begins to follow where the mirror stands.
    Resume(usize),
    /// It sends the next change to the mirror.
    Follow(usize),
    /// What it sent arrives there.
    Arrive(usize),
    /// The next step of making the mirror serve.
    TakeOver(usize),
    /// It stops doing so.
    Desist(usize),
    /// The mirror is made anew.
    Remake(usize),
    Compare(usize),
    /// Any node lifts a fence that it saw stand for long enough.
    Lift,
}

impl Model for World {
    type State = Moment;
    type Action = Action;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::first(self)]
    }

    fn actions(&self, now: &Moment, actions: &mut Vec<Action>) {
        for node in 0..self.nodes {
            now.gateway_actions(self, node, actions);
            now.leader_actions(self, node, actions);
        }
        if now.state.route.fenced {
            actions.push(Action::Lift);
        }
    }

    fn next_state(&self, now: &Moment, action: Action) -> Option<Moment> {
        let mut next = now.clone();
        next.happens(self, action)?;
        next.look();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        checks::properties()
    }
}

impl Moment {
    pub fn owner(&self) -> Side {
        usize::from(self.state.route.owner == NAMES[1])
    }

    /// Remembers what no failover may lose from now on.
    fn look(&mut self) {
        if self.owner() == 0 && usize::from(self.place.count) == self.main.len() {
            self.safe = self.acknowledged.clone();
        }
    }

    fn gateway_actions(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let node = &self.nodes[index];
        let live = !node.lapsed;
        if live && !node.fenced && node.in_flight.is_none() && self.next < world.writes {
            actions.push(Action::Write(index));
        }
        if node.in_flight.is_some() {
            actions.push(if live { Action::Accept(index) } else { Action::Drop(index) });
        }
        if live && node.epoch != self.state.route.epoch {
            actions.push(Action::See(index));
        }
        if live && node.fenced && node.in_flight.is_none() && self.acknowledged_epoch(index) != node.epoch {
            actions.push(Action::Acknowledge(index));
        }
        if live && self.expirations < world.expirations {
            actions.push(Action::Expire(index));
        }
        if live && self.crashes < world.crashes {
            actions.push(Action::Crash(index));
        }
        if !live && self.is_registered(index) {
            actions.push(Action::Expel(index));
        }
        if !live && node.in_flight.is_none() {
            actions.push(Action::Return(index));
        }
    }

    fn leader_actions(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let node = &self.nodes[index];
        if node.sent.is_some() {
            actions.push(Action::Arrive(index));
        }
        if node.lapsed {
            return;
        }
        if node.term.is_none() {
            actions.push(Action::Lead(index));
            return;
        }
        if node.owner == 0 && node.step == Step::Idle {
            match node.at {
                None => actions.push(Action::Resume(index)),
                Some(at) if node.sent.is_none() && usize::from(at.count) < self.main.len() => {
                    actions.push(Action::Follow(index));
                }
                Some(_) => {}
            }
            if self.remakes < world.remakes {
                actions.push(Action::Remake(index));
            }
            if !self.state.standby.as_ref().is_some_and(|standby| standby.verified) {
                actions.push(Action::Compare(index));
            }
        }
        actions.push(Action::TakeOver(index));
        if node.step != Step::Idle {
            actions.push(Action::Desist(index));
        }
    }
}
