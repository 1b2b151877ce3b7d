//! What there is, and what may happen next.

use stateright::{Model, Property};
use truststream_switch::Route;
use truststream_switch::machine::{CutOver, State};

use super::checks;

/// What a checked world has and what goes wrong in it.
#[derive(Clone, Debug)]
pub struct World {
    pub gateways: usize,
    /// Writes that clients make, in all.
    pub writes: u8,
    /// No tenant is named and no fence begun past this epoch.
    pub epochs: u64,
    /// Fences that somebody lifts.
    pub lifts: u8,
    pub shortcut: Option<Shortcut>,
}

/// What one node of a broken world does less than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// What was admitted before a tenant was named is not waited for when that tenant's writes are held.
    ForgottenBeforeNaming,
    /// A write goes where the tenant is served that it speaks of, whatever rows it reaches.
    TakenAtItsWord,
    /// What may reach every tenant goes to the owner of the route while another side serves one.
    SentToTheOwner,
}

/// One of the two databases: 0 served first.
pub type Side = usize;

/// Whose rows: of the tenants 0 and 1, or nobody's.
pub type Whose = usize;

pub const ALL: [Whose; 3] = [0, 1, 2];

/// The parts' names of the tenants.
pub const NAMES: [&str; 2] = ["tenant:a", "tenant:b"];

/// A write on its way to a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InFlight {
    pub id: u8,
    /// Whose rows it reaches in truth.
    pub whose: Whose,
    pub side: Side,
    /// The parts that it may touch as it was admitted; those that were not named yet are the rest.
    pub touches: Vec<Whose>,
    /// How many tenants were named then.
    pub named: usize,
}

/// A gateway as it is in its own memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gateway {
    pub route: Route,
    pub in_flight: Option<InFlight>,
}

/// A line of a side's log, which is its data and its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub id: u8,
    pub whose: Whose,
    pub applied: bool,
}

/// Everything there is at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    pub state: State,
    pub gateways: Vec<Gateway>,
    pub cut: Option<CutOver>,
    pub logs: [Vec<Entry>; 2],
    /// How much of the other side's log each side has read.
    pub read: [usize; 2],
    pub next: u8,
    /// What clients were told is done, in the order in which it was.
    pub acknowledged: [Vec<u8>; 3],
    pub two_owners: bool,
    pub compared: [bool; 3],
    pub unverified: bool,
    /// A write that says nothing was refused.
    pub refused: bool,
    pub lifts: u8,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Through a gateway, speaking of somebody's rows or of none, reaching somebody's.
    Write(usize, Option<Whose>, Whose),
    Accept(usize),
    See(usize),
    Acknowledge(usize),
    Name(Whose),
    Fence(Whose),
    Step,
    Lift,
    Verify(Whose),
    /// The stream that writes to this side.
    Apply(Side),
}

impl World {
    /// What a write may say and reach: only the rows that it speaks of, or anybody's.
    fn writes(&self) -> impl Iterator<Item = (Option<Whose>, Whose)> {
        let lie = self.is(Shortcut::TakenAtItsWord).then_some((Some(2), 0));
        let nothing = [(None, 0), (None, 2)];
        ALL.into_iter().map(|whose| (Some(whose), whose)).chain(nothing).chain(lie)
    }
}

impl Model for World {
    type State = Moment;
    type Action = Action;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::first(self)]
    }

    fn actions(&self, now: &Moment, actions: &mut Vec<Action>) {
        for (index, gateway) in now.gateways.iter().enumerate() {
            if gateway.in_flight.is_none() && now.next < self.writes {
                actions.extend(self.writes().map(|(said, whose)| Action::Write(index, said, whose)));
            }
            if gateway.in_flight.is_some() {
                actions.push(Action::Accept(index));
            }
            if gateway.route.epoch != now.state.route.epoch {
                actions.push(Action::See(index));
            }
            if gateway.is_drained(self) {
                actions.push(Action::Acknowledge(index));
            }
        }
        if now.state.route.epoch < self.epochs {
            // The second while the other side serves the first.
            let next = if owner(&now.state.route, 0) == 1 { 1 } else { 0 };
            actions.extend([Action::Name(next), Action::Fence(0), Action::Fence(1)]);
        }
        if now.state.route.is_held() {
            actions.push(Action::Step);
            if now.lifts < self.lifts {
                actions.push(Action::Lift);
            }
        }
        actions.extend([0, 1].map(Action::Verify));
        let behind = |side: &Side| now.read[*side] < now.logs[1 - side].len() && now.follows(*side);
        actions.extend([0, 1].into_iter().filter(behind).map(Action::Apply));
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

/// The place of a tenant that was named.
fn place(route: &Route, whose: Whose) -> Option<usize> {
    route.division.as_ref()?.place(NAMES.get(whose)?)
}

/// Who serves somebody's rows under a route.
pub fn owner(route: &Route, whose: Whose) -> Side {
    let division = route.division.as_ref();
    usize::from(
        place(route, whose).zip(division).is_some_and(|(place, division)| division.parts[place].moved),
    )
}

/// Whether writes to somebody's rows are held under a route.
pub fn is_held(route: &Route, whose: Whose) -> bool {
    let fenced = route.division.as_ref().and_then(|division| division.fenced());
    fenced.is_some() && fenced == place(route, whose)
}

/// How many tenants are parts of a route.
pub fn named(route: &Route) -> usize {
    route.division.as_ref().map_or(0, |division| division.parts.len())
}

/// The part that somebody's rows are in: those of who was not named are of the rest.
pub fn part(route: &Route, whose: Whose) -> Whose {
    if place(route, whose).is_some() { whose } else { 2 }
}

impl Gateway {
    /// Whether it has nothing in flight that its fence holds.
    fn is_drained(&self, world: &World) -> bool {
        let Some(held) = ALL.into_iter().find(|whose| is_held(&self.route, *whose)) else { return false };
        let Some(write) = &self.in_flight else { return true };
        let is_known = write.named == named(&self.route) || world.is(Shortcut::ForgottenBeforeNaming);
        is_known && !write.touches.contains(&held)
    }
}

impl Moment {
    /// Whether a stream writes to this side.
    fn follows(&self, side: Side) -> bool {
        side == 1 || self.state.switch.as_ref().is_some_and(|stage| stage.armed.is_some())
    }
}
