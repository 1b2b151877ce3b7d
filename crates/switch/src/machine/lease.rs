//! Rights that end by themselves.

use serde::{Deserialize, Serialize};

/// The right of one node to lead switches, until it runs out or another takes it over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The node that holds it.
    pub holder: String,
    /// Grows by one with each new holder: what a former holder asks for carries an older term and
    /// is refused.
    pub term: u64,
    /// When it runs out, in milliseconds since 1970.
    pub until: u64,
}

impl Lease {
    /// Whether it has not run out.
    pub fn is_live(&self, now: u64) -> bool {
        now < self.until
    }

    /// The next holder's lease.
    #[must_use]
    pub fn pass_to(&self, holder: &str, until: u64) -> Self {
        Lease { holder: holder.to_owned(), term: self.term + 1, until }
    }
}
