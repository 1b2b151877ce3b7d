//! Which parts of a divided database an operation may touch, and which backend serves all of them.

use truststream_services::database::{Batch, DatabaseOp, Step, TableName};

use crate::Route;
use crate::machine::Division;

/// A set of parts: the first bit is the rest, the others are the parts of the division in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch(u128);

impl Touch {
    /// What belongs to no part: all there is, where nothing is divided.
    pub const REST: Touch = Touch(1);

    /// Everything.
    pub const ALL: Touch = Touch(u128::MAX);

    /// Nothing.
    pub const NONE: Touch = Touch(0);

    pub(super) fn part(place: usize) -> Touch {
        Touch(2 << place)
    }

    /// The parts of both.
    #[must_use]
    pub fn with(self, other: Touch) -> Touch {
        Touch(self.0 | other.0)
    }

    /// Whether it is more than one part.
    pub(super) fn is_several(self) -> bool {
        self.0.count_ones() > 1
    }

    /// Whether both have a part in common.
    pub(super) fn meets(self, other: Touch) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of it is in the other.
    pub(super) fn is_within(self, other: Touch) -> bool {
        self.0 & !other.0 == 0
    }

    /// The parts of a division that an operation may touch.
    pub(super) fn of_op(op: &DatabaseOp, division: &Division) -> Touch {
        match op {
            DatabaseOp::Select(op) => of_table(division, &op.table),
            DatabaseOp::Insert(op) => of_table(division, &op.table),
            DatabaseOp::Update(op) => of_table(division, &op.table),
            DatabaseOp::Delete(op) => of_table(division, &op.table),
            DatabaseOp::Authorize(op) => of_table(division, &op.table),
            DatabaseOp::Invoke(op) => of_function(division, &op.function),
            DatabaseOp::Batch(batch) => of_batch(division, batch),
            DatabaseOp::Raw(_) | DatabaseOp::Begin(_) => Touch::ALL,
            // What is asked of a database as a whole is asked of the owner of the route.
            _ => Touch::REST,
        }
    }

    /// The parts of a division that a step of a transaction may touch.
    pub(super) fn of_step(step: &Step, division: &Division) -> Touch {
        of_step(division, step)
    }

    /// The part of this name, or the rest.
    pub(crate) fn named(division: &Division, name: Option<&str>) -> Touch {
        name.and_then(|name| division.place(name)).map_or(Touch::REST, Touch::part)
    }

    /// All parts of a route that are served by the backend that serves these; these where two do.
    #[must_use]
    pub fn and_all_beside(self, route: &Route) -> Touch {
        self.owner(route).map_or(self, |owner| Touch::served_by(route, owner))
    }

    /// All parts of a route that one backend serves.
    fn served_by(route: &Route, owner: &str) -> Touch {
        let moved = moved(route);
        match &route.division {
            Some(division) if division.to == owner => moved,
            _ if route.owner == owner => Touch(!moved.0),
            _ => Touch::NONE,
        }
    }

    /// The parts of a route whose writes are held.
    pub(super) fn held(route: &Route) -> Touch {
        let part = route.division.as_ref().and_then(Division::fenced).map_or(Touch::NONE, Touch::part);
        if route.fenced { part.with(Touch(!moved(route).0)) } else { part }
    }

    /// The backend that serves all of it; none if two do.
    pub(super) fn owner(self, route: &Route) -> Option<&str> {
        let moved = moved(route);
        if !self.meets(moved) {
            return Some(&route.owner);
        }
        let division = route.division.as_ref().filter(|_| self.is_within(moved))?;
        Some(&division.to)
    }

    /// Names of the parts, for people.
    pub(super) fn names(self, route: &Route) -> String {
        let parts = route.division.iter().flat_map(|division| division.parts.iter().enumerate());
        let named = parts.filter(|(place, _)| self.meets(Touch::part(*place))).map(|(_, part)| &*part.name);
        let rest = self.meets(Touch::REST).then_some("the rest");
        named.chain(rest).collect::<Vec<_>>().join(", ")
    }

    /// The places of the parts besides the rest.
    pub(super) fn places(self, division: &Division) -> Vec<usize> {
        (0..division.parts.len()).filter(|place| self.meets(Touch::part(*place))).collect()
    }
}

fn moved(route: &Route) -> Touch {
    let parts = route.division.iter().flat_map(|division| division.parts.iter().enumerate());
    let moved = parts.filter(|(_, part)| part.moved);
    moved.fold(Touch::NONE, |set, (place, _)| set.with(Touch::part(place)))
}

fn of_table(division: &Division, name: &TableName) -> Touch {
    let place =
        division.parts.iter().position(|part| part.tables.contains(name) || part.views.contains(name));
    place.map_or(Touch::REST, Touch::part)
}

fn of_function(division: &Division, name: &TableName) -> Touch {
    let place = division.parts.iter().position(|part| part.functions.contains(name));
    place.map_or(Touch::REST, Touch::part)
}

fn of_batch(division: &Division, batch: &Batch) -> Touch {
    let touches = batch.steps.iter().map(|step| of_step(division, step));
    let all = touches.fold(Touch::NONE, Touch::with);
    if all == Touch::NONE { Touch::REST } else { all }
}

fn of_step(division: &Division, step: &Step) -> Touch {
    match step {
        Step::Select(op) => of_table(division, &op.table),
        Step::Insert(op) => of_table(division, &op.table),
        Step::Update(op) => of_table(division, &op.table),
        Step::Delete(op) => of_table(division, &op.table),
        Step::Invoke(op) => of_function(division, &op.function),
        Step::Raw(_) => Touch::ALL,
        Step::Expect(_) => Touch::NONE,
    }
}
