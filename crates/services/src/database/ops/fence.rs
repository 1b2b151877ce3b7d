//! Closing a database to whoever writes to it directly.

use std::time::Duration;

use truststream_kernel::{FeatureSet, Requires};

use crate::database::{DatabaseFeature, TableName};

/// Closes tables to every writer, in the database itself, except to streams of
/// [`super::Apply`] whose name begins with `streams`; or opens them again.
///
/// Each step is done under an epoch, and one of an older epoch than the last does nothing: whoever
/// was held up and comes late closes nothing that was opened since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The tables.
    pub tables: Vec<TableName>,
    /// Beginning of the names of the streams that may write all the same, such as `switch-7/`.
    pub streams: String,
    /// The epoch under which it is done.
    pub epoch: u64,
    /// What is done.
    pub step: FenceStep,
}

/// What is done to a [`Fence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceStep {
    /// Installs what closing needs, so that it is quick; nobody is refused yet.
    Install,
    /// Refuses writes. What was being written when it was asked for is done or undone when it
    /// returns, and no write that comes later is kept, not even one of a transaction that began
    /// before.
    Close {
        /// After which time it opens by itself, counted by the database's own clock; never if absent.
        hold: Option<Duration>,
    },
    /// Lets everybody write.
    Open,
    /// The same, and removes what was installed.
    Remove,
}

impl Requires for Fence {
    fn needs(&self) -> FeatureSet {
        FeatureSet::of(&[DatabaseFeature::Fences])
    }
}
