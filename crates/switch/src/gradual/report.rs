//! What people see of parts.

use serde::{Deserialize, Serialize};
use truststream_services::database::TableName;

use super::ReadReport;
use crate::Flip;

/// A part of a switch, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// Its name.
    pub name: String,
    /// Its tables.
    pub tables: Vec<TableName>,
    /// How far it is.
    pub phase: PartPhase,
    /// What became of its reads before its cut-over.
    #[serde(default)]
    pub reads: Option<ReadReport>,
    /// Its cut-overs, there and back.
    #[serde(default)]
    pub flips: Vec<Flip>,
}

/// How far a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartPhase {
    /// The source serves it.
    Waiting,
    /// The source serves it, and both sides are asked for its reads.
    Comparing,
    /// The target answers a share of its reads.
    Sharing,
    /// Its writes are held for a moment.
    Fencing,
    /// The target serves it.
    Moved,
}

impl PartPhase {
    /// The name people read.
    pub fn name(self) -> &'static str {
        match self {
            PartPhase::Waiting => "not moved",
            PartPhase::Comparing => "comparing reads",
            PartPhase::Sharing => "sharing reads",
            PartPhase::Fencing => "fencing",
            PartPhase::Moved => "moved",
        }
    }
}
