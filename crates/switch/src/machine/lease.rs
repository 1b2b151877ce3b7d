//! Rights that end by themselves, and fences that do.

use std::time::Duration;

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

/// How long a fence stands that a version before this one stored, whose end was a time of day.
const FORMER: Duration = Duration::from_secs(5);

/// How long a fence stands if nobody lifts it.
///
/// As with leases no time is stored: whoever watches it counts, by the watcher's own steady clock, from
/// the moment at which it saw it first. So clocks that differ or jump end no fence early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// Milliseconds.
    pub ms: u64,
    /// Grows each time that the same fence is to stand longer: whoever watches counts anew.
    #[serde(default)]
    pub extended: u64,
}

impl Hold {
    /// That of a fence that is set.
    pub fn of(time: Duration) -> Self {
        Hold { ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX), extended: 0 }
    }

    /// That of the same fence, which is to stand so long from now on.
    pub(super) fn longer(former: Option<Self>, next: Self) -> Self {
        Hold { extended: former.map_or(0, |former| former.extended + 1), ..next }
    }

    /// How long it stands once it is seen.
    pub(crate) fn length(stored: Option<Self>) -> Duration {
        stored.map_or(FORMER, |hold| Duration::from_millis(hold.ms))
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
