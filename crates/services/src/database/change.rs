//! Changes, and durable places in the feed of them.

use serde::{Deserialize, Serialize};
use truststream_kernel::Row;

use super::TableName;

/// One committed row change. Rows are whole images.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where it stands in its feed.
    pub mark: Mark,
    /// The table.
    pub table: TableName,
    /// What happened.
    pub kind: ChangeKind,
    /// The row before (update, delete).
    pub old: Option<Row>,
    /// The row after (insert, update).
    pub new: Option<Row>,
    /// The stream that wrote it ([`super::Apply`]), if it came from another database.
    pub origin: Option<String>,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub made_at: i64,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum ChangeKind {
    Insert,
    Update,
    Delete,
}

/// Identifies a change within its feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// Transaction, where the engine numbers them; 0 otherwise.
    pub transaction: u64,
    /// Number within the feed; grows in the order in which a key's changes were made.
    pub sequence: u64,
}

/// A durable place in a feed. Opaque to all but the driver it came from; ordered only through
/// [`Position::covers`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Everything up to a sequence number; for engines where its order is the commit order.
    Sequence(u64),
    /// Everything visible in a snapshot. Sequence order is not commit order in PostgreSQL, so its
    /// positions are snapshots.
    Snapshot {
        /// All transactions below are covered.
        low: u64,
        /// No transaction from here on is covered.
        high: u64,
        /// Those between that were still running: not covered.
        running: Vec<u64>,
    },
    /// A position of another feed that this one continues: the route's epoch and the position in
    /// the feed of that epoch's owner.
    Routed {
        /// Epoch of the route.
        epoch: u64,
        /// Position in the owner's feed.
        at: Box<Position>,
    },
    /// A place in two feeds that are read as one, because two backends serve different tables.
    Both {
        /// Position in the feed of the route's owner.
        main: Box<Position>,
        /// Position in that of the other backend.
        other: Box<Position>,
        /// Whether what was read last came from the other one.
        of_other: bool,
    },
}

impl Position {
    /// Whether a change lies at or before this position of the same feed.
    pub fn covers(&self, mark: Mark) -> bool {
        match self {
            Position::Sequence(sequence) => mark.sequence <= *sequence,
            Position::Snapshot { low, high, running } => {
                mark.transaction < *low || (mark.transaction < *high && !running.contains(&mark.transaction))
            }
            Position::Routed { at, .. } => at.covers(mark),
            Position::Both { main, other, of_other } => if *of_other { other } else { main }.covers(mark),
        }
    }

    /// Whether a change lies at or before this position, given how far the batch was read that has
    /// it. Of another stage of a feed nothing is known.
    pub fn covers_of_batch(&self, mark: Mark, read_to: &Position) -> bool {
        match (self, read_to) {
            (Position::Routed { epoch, at }, Position::Routed { epoch: read, at: to }) => {
                epoch == read && at.covers_of_batch(mark, to)
            }
            (Position::Routed { .. }, _) | (_, Position::Routed { .. }) => false,
            (Position::Both { main, other, .. }, Position::Both { of_other, .. }) => {
                if *of_other { other } else { main }.covers(mark)
            }
            _ => self.covers(mark),
        }
    }
}

/// Changes read from a feed.
#[derive(Clone, Debug)]
pub struct ChangeBatch {
    /// In commit order within each key; whole transactions where the engine allows it.
    pub changes: Vec<Change>,
    /// Where to go on.
    pub position: Position,
    /// Nothing more was there when it was read.
    pub at_end: bool,
}
