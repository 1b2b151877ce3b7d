//! Which backend serves.

use serde::{Deserialize, Serialize};
use truststream_services::database::Position;

use super::{Division, Hold, Leg};

/// Who serves the application's services right now. Changes only by compare-and-set on the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Grows by one with every change.
    pub epoch: u64,
    /// The epoch in which the owner became the owner.
    pub reign: u64,
    /// The backend that serves.
    pub owner: String,
    /// Writes are held back; reads go on.
    pub fenced: bool,
    /// While writes are held: how long that lasts if nobody ends it, for whoever watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// How consumers of the change feed go on from the owner before this one.
    pub handover: Option<Handover>,
    /// The parts that are moved one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<Division>,
    /// How consumers of the change feed go on from one part's cut-over of this reign to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
}

impl Route {
    /// The first route of a project.
    pub fn first(owner: impl Into<String>) -> Self {
        let owner = owner.into();
        let (fenced, hold, handover) = (false, None, None);
        Route { epoch: 1, reign: 1, owner, fenced, hold, handover, division: None, legs: Vec::new() }
    }

    /// Whether any writes are held back, of everything or of one part.
    pub fn is_held(&self) -> bool {
        self.fenced || self.division.as_ref().is_some_and(|division| division.fenced().is_some())
    }

    /// The same owner with writes held back.
    #[must_use]
    pub(crate) fn fence(&self, hold: Hold) -> Self {
        Route { epoch: self.epoch + 1, fenced: true, hold: Some(hold), ..self.clone() }
    }

    /// The same owner with writes admitted again.
    #[must_use]
    pub(crate) fn lift(&self) -> Self {
        let mut division = self.division.clone();
        if let Some(division) = &mut division {
            division.parts.iter_mut().for_each(|part| part.fenced = false);
        }
        Route { epoch: self.epoch + 1, fenced: false, hold: None, division, ..self.clone() }
    }

    /// Another owner, open for writes.
    #[must_use]
    pub(crate) fn hand_over(&self, owner: impl Into<String>, end: Position, start: Position) -> Self {
        let (from, reign, legs) = (self.owner.clone(), self.reign, self.legs.clone());
        let handover = Some(Handover { from, reign, end, start, legs, lost: false });
        let (epoch, owner, legs) = (self.epoch + 1, owner.into(), Vec::new());
        let (fenced, hold, division) = (false, None, None);
        Route { epoch, reign: epoch, owner, fenced, hold, handover, division, legs }
    }
}

/// Where one owner's change feed ends and the next one's begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handover {
    /// The owner before.
    pub from: String,
    /// The epoch in which that owner had become the owner.
    pub reign: u64,
    /// The last position of its feed that belongs to its reign.
    pub end: Position,
    /// The position of the new owner's feed from which on its own changes follow.
    pub start: Position,
    /// The stages of the former owner's reign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<Leg>,
    /// The owner before was lost, and with it what came after `end`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}
