//! Rights that end by themselves.

use serde::{Deserialize, Serialize};

/// The right of one node to lead switches, until another takes it over.
///
/// No time is stored: clocks of machines differ, and jump. Whoever holds a lease lets its beat grow,
/// and whoever watches it takes it as over once the beat has stood still, by the watcher's own
/// steady clock, for as long as leases last. The holder counts from before its beat was stored, so
/// it knows of the end before everybody else does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The node that holds it; empty when nobody does.
    pub holder: String,
    /// Grows by one with each new holder: what a former holder asks for carries an older term and
    /// is refused.
    pub term: u64,
    /// Grows with every renewal.
    #[serde(default)]
    pub beat: u64,
}

impl Lease {
    /// The next holder's lease.
    #[must_use]
    pub fn pass_to(&self, holder: &str) -> Self {
        Lease { holder: holder.to_owned(), term: self.term + 1, beat: 0 }
    }

    /// Whether a node may take it: nobody holds it, or what was seen to stand still stands there yet.
    pub fn is_free(&self, still: Option<Still>) -> bool {
        self.holder.is_empty() || still == Some(Still { term: self.term, beat: self.beat })
    }
}

/// A coordinator's lease as it was seen to stand still for as long as leases last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Still {
    /// Its term.
    pub term: u64,
    /// Its beat.
    pub beat: u64,
}
