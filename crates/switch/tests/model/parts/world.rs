//! What there is, and what may happen next.

use stateright::{Model, Property};
use truststream_switch::machine::{CutOver, Phase, State};

use super::checks;
use super::reader::Reader;

/// What a checked world has and what may go wrong in it.
#[derive(Clone, Debug)]
pub struct World {
    pub gateways: usize,
    /// Writes that clients make, in all.
    pub writes: u8,
    /// Writes that touch both parts, in all.
    pub batches: u8,
    /// Coordinators that end; the next begins with what is stored.
    pub crashes: u8,
    /// No fence is begun past this epoch.
    pub epochs: u64,
    /// Somebody follows the change feed.
    pub reads: bool,
    pub shortcut: Option<Shortcut>,
}

/// What one node of a broken world does less than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// A gateway acknowledges a part's fence with a write to that part in flight.
    AckWithoutDrain,
    /// What was admitted before the parts were known is not waited for.
    ForgottenBeforeDivision,
    /// A gateway acknowledges a part's fence and keeps to itself what it saw written together.
    UntoldTies,
    /// The end of the feed is read before the drain.
    EndBeforeDrain,
    /// The part changes its owner before the other side caught up.
    NoCatchUp,
    /// The stages of the feed begin where the other side stands after it was opened.
    LegsNotedLate,
    /// The way back of the switch begins at the last cut-over, not at the first.
    BackwardFromTheLast,
    /// A stream carries what the other one applied.
    Echo,
    /// The switch is given up while the target serves the part.
    GivenUpWithParts,
    /// A part that came back is declared equal without being compared.
    Unverified,
    /// Whoever follows the feed reads both sides wherever they stand.
    NoStages,
}

/// One of the two databases: 0 served first.
pub type Side = usize;

/// 0 is the part that has a name, 1 the rest.
pub type Part = usize;

/// A write on its way to a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    pub id: u8,
    pub part: Part,
    pub side: Side,
    /// Admitted when the parts were known.
    pub divided: bool,
}

/// A gateway as it is in its own memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    pub epoch: u64,
    pub divided: bool,
    pub owner: [Side; 2],
    pub held: [bool; 2],
    pub in_flight: Option<InFlight>,
    /// It has admitted a write that touches both parts.
    pub saw_both: bool,
}

/// A line of a side's log, which is its data and its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub id: u8,
    pub part: Part,
    pub applied: bool,
}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    pub state: State,
    pub gateways: Vec<Gateway>,
    pub cut: Option<CutOver>,
    pub early_end: Option<u64>,
    pub logs: [Vec<Entry>; 2],
    /// How much of the other side's log each side has read.
    pub read: [usize; 2],
    pub next: u8,
    pub batches: u8,
    /// What clients were told is done, in the order in which it was, of each part.
    pub acknowledged: [Vec<u8>; 2],
    pub crashes: u8,
    pub two_owners: bool,
    pub compared: [bool; 2],
    pub unverified: bool,
    /// A write to the rest was accepted while the part's writes were held.
    pub not_held: bool,
    pub reader: Reader,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Write(usize, Part),
    /// One that touches both parts, begun and done at once.
    WriteBoth(usize),
    Accept(usize),
    See(usize),
    Acknowledge(usize),
    Divide,
    Verify,
    VerifyPart,
    FencePart,
    FenceAll,
    Step,
    Crash,
    Lift,
    GiveUp,
    /// The stream that writes to this side.
    Apply(Side),
    Read(Side),
}

impl Model for World {
    type State = Moment;
    type Action = Action;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::first(self)]
    }

    fn actions(&self, now: &Moment, actions: &mut Vec<Action>) {
        for (index, gateway) in now.gateways.iter().enumerate() {
            let room = gateway.in_flight.is_none() && now.next < self.writes;
            let open = (0..2).filter(|part| room && !gateway.held[*part]);
            actions.extend(open.map(|part| Action::Write(index, part)));
            let is_whole = gateway.divided && gateway.owner[0] == gateway.owner[1];
            if is_whole && gateway.held == [false; 2] && now.batches < self.batches {
                actions.push(Action::WriteBoth(index));
            }
            if gateway.in_flight.is_some() {
                actions.push(Action::Accept(index));
            }
            if gateway.epoch != now.state.route.epoch {
                actions.push(Action::See(index));
            }
            if gateway.held.contains(&true) && now.is_drained(self, index) {
                actions.push(Action::Acknowledge(index));
            }
        }
        let free = [Action::Divide, Action::Verify, Action::VerifyPart, Action::GiveUp];
        actions.extend(free);
        if now.state.route.epoch < self.epochs {
            actions.extend([Action::FencePart, Action::FenceAll]);
        }
        if now.state.route.is_held() {
            actions.extend([Action::Step, Action::Lift]);
            if now.crashes < self.crashes && now.cut.is_some() {
                actions.push(Action::Crash);
            }
        }
        for side in [0, 1] {
            if now.read[side] < now.logs[1 - side].len() && now.follows(side) {
                actions.push(Action::Apply(side));
            }
            if self.reads {
                actions.push(Action::Read(side));
            }
        }
    }

    fn next_state(&self, now: &Moment, action: Action) -> Option<Moment> {
        let mut next = now.clone();
        next.happens(self, action)?;
        (next != *now).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        checks::properties()
    }
}

impl Moment {
    pub fn phase(&self) -> Phase {
        self.state.switch.as_ref().unwrap().phase
    }

    pub fn has_moved(&self) -> bool {
        self.state.route.division.as_ref().is_some_and(|division| division.has_moved())
    }

    /// Who serves a part.
    pub fn owner(&self, part: Part) -> Side {
        usize::from(self.state.route.owner == super::act::NAMES[1] || (part == 0 && self.has_moved()))
    }

    /// Whether a part's writes are held.
    pub fn held(&self, part: Part) -> bool {
        let route = &self.state.route;
        let of_part = route.division.as_ref().is_some_and(|division| division.fenced().is_some());
        if part == 0 { of_part || (route.fenced && !self.has_moved()) } else { route.fenced }
    }

    /// Whether a stream writes to this side.
    fn follows(&self, side: Side) -> bool {
        let armed = self.state.switch.as_ref().is_some_and(|stage| stage.armed.is_some());
        match self.phase() {
            Phase::Committed | Phase::FencingBack => side == 0,
            phase if phase.is_before_commit() => side == 1 || armed,
            _ => false,
        }
    }

    /// Whether a gateway has nothing in flight that its fence holds, as far as it knows.
    fn is_drained(&self, world: &World, index: usize) -> bool {
        let gateway = &self.gateways[index];
        let Some(write) = &gateway.in_flight else { return true };
        let knows = write.divided || !gateway.divided;
        let held =
            if knows { gateway.held[write.part] } else { !world.is(Shortcut::ForgottenBeforeDivision) };
        !held || world.is(Shortcut::AckWithoutDrain)
    }
}
