//! What there is, and what may happen next.

use stateright::{Model, Property};
use truststream_switch::machine::{CutOver, Phase, State};

use super::checks;

/// What a checked world has and what may go wrong in it.
#[derive(Clone, Debug)]
pub struct World {
    pub gateways: usize,
    pub coordinators: usize,
    /// Writes that clients make, in all.
    pub writes: u8,
    /// Leases of gateways that run out.
    pub expirations: u8,
    /// Coordinators that end, or freeze past their lease while another takes over.
    pub crashes: u8,
    /// No fence is begun past this epoch.
    pub epochs: u64,
    pub shortcut: Option<Shortcut>,
}

/// What one node of a broken world does less than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// A write may outlive the lease it was admitted under.
    UnboundedInFlight,
    /// A gateway acknowledges a fence with a write in flight.
    AckWithoutDrain,
    /// The end of the feed is read before the drain.
    EndBeforeDrain,
    /// The route changes before the target caught up.
    NoCatchUp,
    /// The way back is armed once the target is open.
    ArmedLate,
    /// An older applier applies again.
    UnguardedApplier,
    /// The route is written whatever is stored by then.
    BlindCommit,
    /// A successor goes on where it believes its predecessor was.
    SkippingSuccessor,
    /// A gateway takes a lease without the route that comes with it.
    LeaseWithoutRoute,
    /// A gateway comes back with a write of its former lease in flight.
    LeaseWithInFlight,
    /// The sides are declared equal without being compared.
    Unverified,
}

/// One of the two databases: 0 served first.
pub type Side = usize;

pub const NAMES: [&str; 2] = ["s", "t"];

/// A write on its way to a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    pub id: u8,
    pub side: Side,
}

/// A gateway as it is in its own memory. It knows that its lease is over before anybody else does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    pub epoch: u64,
    pub owner: Side,
    pub fenced: bool,
    pub in_flight: Option<InFlight>,
    pub lapsed: bool,
}

/// A coordinator as it is in its own memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Coordinator {
    pub term: Option<u64>,
    pub cut: Option<CutOver>,
    /// Kept only where a shortcut needs it.
    pub early_end: Option<u64>,
    pub stale: Option<Box<State>>,
}

/// A line of a log.
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
    pub gateways: Vec<Gateway>,
    pub coordinators: Vec<Coordinator>,
    pub logs: [Vec<Entry>; 2],
    /// How much of the other side's log each side has applied; stored with what was applied.
    pub applied: [usize; 2],
    pub next: u8,
    pub acknowledged: Vec<u8>,
    pub expirations: u8,
    pub crashes: u8,
    /// Seen on the way: a write accepted by a side that did not own the open route.
    pub two_owners: bool,
    /// The sides were compared since the route changed last.
    pub compared: bool,
    /// The route went to a side that had not been compared.
    pub unverified: bool,
    pub arm_later: bool,
    pub applied_twice: bool,
    /// The coordinators whose cut-overs committed, in order.
    pub committers: Vec<usize>,
    pub fencers: Vec<usize>,
    /// The coordinator's lease was seen to stand still.
    pub leaderless: bool,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Write(usize),
    Accept(usize),
    Drop(usize),
    /// A gateway sees the stored route.
    See(usize),
    Acknowledge(usize),
    /// A gateway's lease is over by its own clock.
    Expire(usize),
    /// It is over by everybody's clock.
    Expel(usize),
    Return(usize),
    Coordinate(usize),
    Crash(usize),
    CoordinatorLeaseEnds,
    /// Any node lifts a fence that it saw stand for long enough.
    Lift,
    GiveUp(usize),
    Apply(Side),
    ApplyAgain(Side),
    ArmLate,
}

impl Model for World {
    type State = Moment;
    type Action = Action;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::first(self)]
    }

    fn actions(&self, now: &Moment, actions: &mut Vec<Action>) {
        for gateway in 0..self.gateways {
            now.gateway_actions(self, gateway, actions);
        }
        for coordinator in 0..self.coordinators {
            actions.push(Action::Coordinate(coordinator));
            if now.coordinators[coordinator].term.is_some() {
                if now.crashes < self.crashes {
                    actions.push(Action::Crash(coordinator));
                }
                actions.push(Action::GiveUp(coordinator));
            }
        }
        if now.crashes < self.crashes && !now.leaderless {
            actions.push(Action::CoordinatorLeaseEnds);
        }
        if now.state.route.fenced {
            actions.push(Action::Lift);
        }
        for side in [0, 1] {
            if now.applied[side] < now.logs[1 - side].len() && now.follows(side) {
                actions.push(Action::Apply(side));
            }
            if self.is(Shortcut::UnguardedApplier) && !now.applied_twice && now.applied[side] > 0 {
                actions.push(Action::ApplyAgain(side));
            }
        }
        if now.arm_later {
            actions.push(Action::ArmLate);
        }
    }

    fn next_state(&self, now: &Moment, action: Action) -> Option<Moment> {
        let mut next = now.clone();
        next.happens(self, action).map(|()| next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        checks::properties()
    }
}

impl Moment {
    pub fn phase(&self) -> Phase {
        self.state.switch.as_ref().unwrap().phase
    }

    pub fn owner(&self) -> Side {
        usize::from(self.state.route.owner == NAMES[1])
    }

    /// Whether a follower brings the other side's changes to this side.
    fn follows(&self, side: Side) -> bool {
        match self.phase() {
            Phase::Committed | Phase::FencingBack => side == 0 && !self.arm_later,
            phase => side == 1 && phase.is_before_commit(),
        }
    }

    fn gateway_actions(&self, world: &World, index: usize, actions: &mut Vec<Action>) {
        let gateway = &self.gateways[index];
        let live = !gateway.lapsed;
        let route = &self.state.route;
        if live && !gateway.fenced && gateway.in_flight.is_none() && self.next < world.writes {
            actions.push(Action::Write(index));
        }
        if gateway.in_flight.is_some() {
            let reaches = live || world.is(Shortcut::UnboundedInFlight);
            actions.push(if reaches { Action::Accept(index) } else { Action::Drop(index) });
        }
        if live && gateway.epoch != route.epoch {
            actions.push(Action::See(index));
        }
        let drained = gateway.in_flight.is_none() || world.is(Shortcut::AckWithoutDrain);
        if live && gateway.fenced && drained && self.acknowledged_epoch(index) != gateway.epoch {
            actions.push(Action::Acknowledge(index));
        }
        if live && self.expirations < world.expirations {
            actions.push(Action::Expire(index));
        }
        if !live && self.is_registered(index) {
            actions.push(Action::Expel(index));
        }
        if !live && (gateway.in_flight.is_none() || world.is(Shortcut::LeaseWithInFlight)) {
            actions.push(Action::Return(index));
        }
    }
}
