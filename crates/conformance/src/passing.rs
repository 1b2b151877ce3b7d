//! Databases of cases that run one after the other: kept to the end, those of all cases are gigabytes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// A case, and the one that is just being cleaned up after, have no more.
const KEPT: usize = 8;

/// The databases of a run's last cases, by name.
#[derive(Default)]
pub struct Passing(Mutex<VecDeque<String>>);

impl Passing {
    /// None yet.
    pub const fn new() -> Self {
        Passing(Mutex::new(VecDeque::new()))
    }

    /// Takes in a new one; returns the one that no case looks at any more.
    pub fn take(&self, name: String) -> Option<String> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.push_back(name);
        if names.len() > KEPT { names.pop_front() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let passing = Passing::new();
        let gone: Vec<_> = (0..KEPT + 2).filter_map(|number| passing.take(number.to_string())).collect();
        assert_eq!(gone, ["0", "1"]);
    }
}
