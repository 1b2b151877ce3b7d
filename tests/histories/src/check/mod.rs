//! The checker: a pure function of what clients saw and what is there at the end.
//!
//! It knows nothing of how a switch works. Each file holds what must be true of one kind of data.

mod events;
mod failover;
mod growing;
mod lists;
mod notes;
mod sessions;
mod transfers;

#[cfg(test)]
mod tests;

pub use failover::{Told, check_failover};

use crate::history::{History, State};

/// Money in each account at the beginning.
pub const FIRST_BALANCE: i64 = 1_000;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Which promise is broken: `lost`, `doubled`, `ghost`, `order`, `stale`, `forked`, `sum`,
    /// `torn`, `damaged`, `signed out`, `missed`.
    pub rule: &'static str,
    /// Of what, in words.
    pub what: String,
}

impl Violation {
    fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Violation { rule, what: what.into() }
    }
}

/// Everything that must not be, of all kinds of data.
pub fn check(history: &History, end: &State) -> Vec<Violation> {
    let mut found = notes::check(history, end);
    found.extend(lists::check(history, end));
    found.extend(growing::check(history, end));
    found.extend(transfers::check(history, end));
    found.extend(sessions::check(history));
    found.extend(events::check(history));
    found
}
