//! The feed of changes.

use std::time::Duration;

use truststream_kernel::{FeatureSet, Requires};

use crate::database::{DatabaseFeature, Position, TableName};

/// Sets which tables are captured into the change feed, and returns the position from which their
/// changes are complete.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Who wants them (`realtime`, `switch-7`); what is captured is the union over consumers.
    pub consumer: String,
    /// Tables to capture; empty ends this consumer's capture.
    pub tables: Vec<TableName>,
}

impl Requires for Capture {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::ChangeFeed])
    }
}

/// Reads changes after a position, in commit order within each key.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Where to go on; `None` only asks for the present end (an empty batch with its position).
    pub after: Option<Position>,
    /// At most about so many changes.
    pub limit: usize,
    /// How long to wait for a change if there is none yet.
    pub wait: Duration,
}

impl Requires for Changes {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::ChangeFeed])
    }
}
