//! Parts of a database that change their owner one after the other.

use serde::{Deserialize, Serialize};
use truststream_services::database::{Position, TableName};

use super::{Hold, Phase, Refused, Route, State, Tenancy, Tie};

/// Parts besides the rest: a set of them fits into one number.
pub const MOST_PARTS: usize = 127;

/// A closed set of tables, with the views and functions that are about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// Its name: that of its first table.
    pub name: String,
    /// Tables whose rows are in it; none if it is a tenant's.
    pub tables: Vec<TableName>,
    /// The tenant whose rows are in it, of all tables that belong to tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Views of these tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<TableName>,
    /// Functions that touch nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<TableName>,
    /// The switch's target serves it.
    #[serde(default)]
    pub moved: bool,
    /// Its writes are held back.
    #[serde(default)]
    pub fenced: bool,
    /// Both sides were compared since it moved last.
    #[serde(default)]
    pub verified: bool,
}

/// The parts of a database that is on its way from one backend to another; what belongs to none of
/// them is the rest, and follows the owner of the route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Division {
    /// The backend that serves the parts that have moved.
    pub to: String,
    /// The parts.
    pub parts: Vec<Part>,
    /// Which of them gateways have seen touched together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ties: Vec<Tie>,
    /// What tells tenants apart, where each of them is a part. Those that are no parts are of the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenancy: Option<Tenancy>,
}

impl Part {
    /// Whether both have the same in them, whoever serves it.
    fn is_alike(&self, other: &Part) -> bool {
        let same = self.tables == other.tables && self.views == other.views;
        same && self.functions == other.functions && self.tenant == other.tenant
    }
}

impl Division {
    /// The place of a part of this name.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.parts.iter().position(|part| part.name == name)
    }

    /// The part whose writes are held back.
    pub fn fenced(&self) -> Option<usize> {
        self.parts.iter().position(|part| part.fenced)
    }

    /// Whether the target serves any part.
    pub fn has_moved(&self) -> bool {
        self.parts.iter().any(|part| part.moved)
    }

    /// Whether a part that has not moved was not compared since it came back.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.parts.iter().any(|part| !part.moved && !part.verified)
    }

    /// Whether both have the same parts, whoever serves them.
    pub(crate) fn is_alike(&self, other: &Division) -> bool {
        self.tenancy == other.tenancy
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|(one, other)| one.is_alike(other))
    }
}

/// A stage of the change feed, from one part's cut-over to the next: the owner of the route and
/// another backend serve different parts meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leg {
    /// The epoch in which it began.
    pub epoch: u64,
    /// Where it begins in the feed of the route's owner, and the one before ends.
    pub main: Position,
    /// Where it begins in the feed of the other backend.
    pub other: Position,
    /// The other backend; none once it serves nothing any more.
    pub with: Option<String>,
}

impl State {
    /// The name of the part whose writes are held.
    pub fn fenced_part(&self) -> Option<&Part> {
        let division = self.route.division.as_ref()?;
        division.fenced().map(|place| &division.parts[place])
    }

    fn division(&mut self) -> Result<&mut Division, Refused> {
        self.route.division.as_mut().ok_or(Refused::NoPart)
    }

    fn part(&mut self, name: &str) -> Result<&mut Part, Refused> {
        let division = self.division()?;
        division.parts.iter_mut().find(|part| part.name == name).ok_or(Refused::NoPart)
    }

    /// Names the parts, of which those that have moved stay what they are. Other parts than before are
    /// in force only from the next epoch on: whatever was admitted until then may touch everything.
    pub(super) fn divide(&mut self, parts: &[Part]) -> Result<(), Refused> {
        let route = &self.route;
        if route.is_held() {
            return Err(Refused::WritesHeld);
        }
        let before = route.division.as_ref();
        let moved: Vec<_> =
            before.iter().flat_map(|before| &before.parts).filter(|part| part.moved).collect();
        if moved.iter().any(|moved| !parts.iter().any(|part| part.is_alike(moved))) {
            return Err(Refused::PartsMoved);
        }
        let stage = self.switch.as_ref().ok_or(Refused::NoSwitch)?;
        if !stage.phase.is_before_commit() || parts.len() > MOST_PARTS {
            return Err(Refused::Phase { present: stage.phase });
        }
        // What came back is compared before it is one with others.
        let is_doubtful = stage.phase == Phase::Ready && before.is_some_and(Division::is_doubtful);
        if stage.must_verify && is_doubtful {
            return Err(Refused::NotVerified);
        }
        let fresh =
            |part: &Part| Part { moved: false, fenced: false, verified: stage.verified, ..part.clone() };
        let named = |part: &Part| {
            let stays = moved.iter().find(|moved| moved.is_alike(part));
            stays.map_or_else(|| fresh(part), |moved| (*moved).clone())
        };
        let parts = parts.iter().map(named).collect();
        let division = Some(Division { to: stage.to.clone(), parts, ..Division::default() });
        self.route = Route { epoch: self.route.epoch + 1, division, ..self.route.clone() };
        Ok(())
    }

    /// Both sides of a part, or of everything before the first move, are equal.
    pub(super) fn part_verified(&mut self, name: &str) -> Result<(), Refused> {
        self.must_be_ready()?;
        self.part(name)?.verified = true;
        Ok(())
    }

    /// What was compared holds for all parts, or for none that has not moved.
    pub(super) fn mark_parts(&mut self, verified: bool) {
        let Some(division) = &mut self.route.division else { return };
        division.parts.iter_mut().filter(|part| !part.moved).for_each(|part| part.verified = verified);
    }

    pub(super) fn fence_part(&mut self, name: &str, epoch: u64, hold: Hold) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.must_be_ready()?;
        if self.route.is_held() {
            return Err(Refused::WritesHeld);
        }
        let stage = self.switch.as_ref().ok_or(Refused::NoSwitch)?;
        let must_verify = stage.must_verify;
        if stage.paused {
            return Err(Refused::Paused);
        }
        let part = self.part(name)?;
        if must_verify && !part.verified {
            return Err(Refused::NotVerified);
        }
        part.fenced = true;
        self.must_be_untied()?;
        self.route.epoch += 1;
        self.route.hold = Some(hold);
        Ok(())
    }

    /// The part whose writes are held goes to the other side. `end` is the end of the feed of the
    /// side that served it, `start` the place in the feed of the other from which its changes follow.
    pub(super) fn move_part(&mut self, epoch: u64, end: &Position, start: &Position) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        let gateways = self.unacknowledged();
        let stage = self.switch.as_ref().ok_or(Refused::NoSwitch)?;
        let must_verify = stage.must_verify;
        let division = self.division()?;
        let with = Some(division.to.clone());
        let place = division.fenced().ok_or(Refused::OutOfOrder)?;
        let part = &mut division.parts[place];
        if must_verify && !part.verified {
            return Err(Refused::NotVerified);
        }
        if !gateways.is_empty() {
            return Err(Refused::Unacknowledged { gateways });
        }
        self.must_be_untied()?;
        let part = &mut self.division()?.parts[place];
        (part.moved, part.fenced, part.verified) = (!part.moved, false, false);
        let (main, other) = if part.moved { (end, start) } else { (start, end) };
        let leg = Leg { epoch: epoch + 1, main: main.clone(), other: other.clone(), with };
        if let Some(stage) = self.switch.as_mut().filter(|stage| stage.armed.is_none()) {
            stage.armed = Some(other.clone());
        }
        self.route.legs.push(leg);
        self.route.epoch += 1;
        self.route.hold = None;
        Ok(())
    }

    /// There are no parts any more: the owner of the route serves all of them.
    pub(super) fn unite(&mut self) -> Result<(), Refused> {
        let Some(division) = &self.route.division else { return Ok(()) };
        if division.has_moved() {
            return Err(Refused::PartsMoved);
        }
        if let Some(leg) = self.route.legs.last_mut() {
            leg.with = None;
        }
        self.route.division = None;
        self.route.epoch += 1;
        Ok(())
    }

    pub(super) fn must_be_ready(&self) -> Result<(), Refused> {
        match self.switch.as_ref().ok_or(Refused::NoSwitch)?.phase {
            Phase::Ready => Ok(()),
            present => Err(Refused::Phase { present }),
        }
    }
}
