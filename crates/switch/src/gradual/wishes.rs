//! What the operator asks of a switch that goes part by part.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Where the operator leaves what is to be done next.
#[derive(Default)]
pub(crate) struct Wishes(Mutex<VecDeque<PartWish>>);

/// What is to be done with parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PartWish {
    /// The part goes to the target.
    Move(String),
    /// The part returns to the source, and no other part moves by itself any more.
    Back(String),
    /// All that are left go, one after the other, and then the switch commits.
    All,
}

impl Wishes {
    /// Asks for it.
    pub(crate) fn ask(&self, wish: PartWish) {
        self.0.lock().push_back(wish);
    }

    /// What was asked for first.
    pub(super) fn next(&self) -> Option<PartWish> {
        self.0.lock().front().cloned()
    }

    /// It was done, or can't be.
    pub(super) fn done(&self) {
        self.0.lock().pop_front();
    }

    /// Whether something is asked for.
    pub(super) fn is_asked(&self) -> bool {
        !self.0.lock().is_empty()
    }

    /// Nothing is asked for any more.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }
}
