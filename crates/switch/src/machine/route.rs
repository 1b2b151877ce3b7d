//! Which backend serves.

use serde::{Deserialize, Serialize};
use truststream_services::database::Position;

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
    /// While fenced: when any node may lift the fence, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    /// How consumers of the change feed go on from the owner before this one.
    pub handover: Option<Handover>,
}

impl Route {
    /// The first route of a project.
    pub fn first(owner: impl Into<String>) -> Self {
        let owner = owner.into();
        Route { epoch: 1, reign: 1, owner, fenced: false, deadline: None, handover: None }
    }

    /// The same owner with writes held back.
    #[must_use]
    pub(crate) fn fence(&self, deadline: u64) -> Self {
        Route { epoch: self.epoch + 1, fenced: true, deadline: Some(deadline), ..self.clone() }
    }

    /// The same owner with writes admitted again.
    #[must_use]
    pub(crate) fn lift(&self) -> Self {
        Route { epoch: self.epoch + 1, fenced: false, deadline: None, ..self.clone() }
    }

    /// Another owner, open for writes.
    #[must_use]
    pub(crate) fn hand_over(&self, owner: impl Into<String>, end: Position, start: Position) -> Self {
        let handover = Handover { from: self.owner.clone(), reign: self.reign, end, start, lost: false };
        let (epoch, owner) = (self.epoch + 1, owner.into());
        Route { epoch, reign: epoch, owner, fenced: false, deadline: None, handover: Some(handover) }
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
    /// The owner before was lost, and with it what came after `end`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}
