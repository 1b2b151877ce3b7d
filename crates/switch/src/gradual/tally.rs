//! What was found by asking both sides.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Latencies kept of each side; later ones replace earlier ones.
const KEPT: usize = 4096;

/// Kinds of reads that are told apart.
const SHAPES: usize = 100;

/// What became of reads while both sides could be asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadReport {
    /// Reads that both sides answered alike: the target as the source did before or after it, or with each
    /// row as it was before or after.
    pub equal: u64,
    /// Reads whose rows changed more than once each time that they were asked for, so that they could not
    /// be compared.
    pub undecided: u64,
    /// Reads with more than one right answer: the first rows of an order that leaves some open.
    pub not_compared: u64,
    /// Reads that the sides answered differently, by their kind; no value of any is kept.
    pub different: Vec<Different>,
    /// Median and 95th percentile of the source's answers, in milliseconds.
    pub source_ms: [f64; 2],
    /// The same of the target's.
    pub target_ms: [f64; 2],
    /// Reads that the target answered to the application.
    pub served: u64,
    /// The target answers none before it takes the writes: not one could be compared.
    #[serde(default)]
    pub kept: bool,
}

impl ReadReport {
    /// Reads of which it was found out whether both sides answer alike.
    pub(super) fn compared(&self) -> u64 {
        self.equal + self.different.iter().map(|one| one.count).sum::<u64>()
    }

    /// Whether the application reads, and no answer of the target was found to be right.
    pub(super) fn proves_nothing(&self) -> bool {
        self.equal == 0 && self.undecided > 0
    }

    /// Of two gateways together; latencies are those of the one where they are longer.
    pub(super) fn and(mut self, other: ReadReport) -> Self {
        for found in other.different {
            match self.different.iter_mut().find(|one| (&one.shape, &one.how) == (&found.shape, &found.how)) {
                Some(known) => known.count += found.count,
                None => self.different.push(found),
            }
        }
        let longer = |own: [f64; 2], other: [f64; 2]| [own[0].max(other[0]), own[1].max(other[1])];
        ReadReport {
            equal: self.equal + other.equal,
            undecided: self.undecided + other.undecided,
            not_compared: self.not_compared + other.not_compared,
            different: self.different,
            source_ms: longer(self.source_ms, other.source_ms),
            target_ms: longer(self.target_ms, other.target_ms),
            served: self.served + other.served,
            kept: self.kept || other.kept,
        }
    }
}

/// Reads of one kind that the sides answered differently.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Different {
    /// Operation, table, and what is selected, filtered and ordered by.
    pub shape: String,
    /// How the target's answer differs.
    pub how: String,
    /// How many were seen.
    pub count: u64,
}

/// Counts while it goes on.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) equal: u64,
    pub(super) undecided: u64,
    pub(super) not_compared: u64,
    pub(super) served: u64,
    different: BTreeMap<(String, String), u64>,
    source: Latencies,
    target: Latencies,
}

impl Tally {
    pub(super) fn took(&mut self, source: Duration, target: Duration) {
        self.source.add(source);
        self.target.add(target);
    }

    pub(super) fn differs(&mut self, shape: String, how: String) {
        if self.different.len() < SHAPES || self.different.contains_key(&(shape.clone(), how.clone())) {
            *self.different.entry((shape, how)).or_default() += 1;
        }
    }

    pub(super) fn report(&self) -> ReadReport {
        let different = |((shape, how), count): (&(String, String), &u64)| Different {
            shape: shape.clone(),
            how: how.clone(),
            count: *count,
        };
        ReadReport {
            equal: self.equal,
            undecided: self.undecided,
            not_compared: self.not_compared,
            different: self.different.iter().map(different).collect(),
            source_ms: self.source.percentiles(),
            target_ms: self.target.percentiles(),
            served: self.served,
            kept: false,
        }
    }
}

#[derive(Default)]
struct Latencies {
    kept: Vec<Duration>,
    next: usize,
}

impl Latencies {
    fn add(&mut self, took: Duration) {
        if self.kept.len() < KEPT {
            self.kept.push(took);
        } else {
            self.kept[self.next] = took;
            self.next = (self.next + 1) % KEPT;
        }
    }

    fn percentiles(&self) -> [f64; 2] {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let at = |percent: usize| sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default();
        [at(50), at(95)].map(|took| took.as_secs_f64() * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_gateways_found_is_one_report() {
        let ms = Duration::from_millis;
        let [one, other] = [(1, ms(1)), (2, ms(9))].map(|(count, took)| {
            let mut tally = Tally { equal: count, served: 10 * count, ..Tally::default() };
            tally.took(took, ms(5));
            tally.differs("select notes".to_owned(), "other values".to_owned());
            tally
        });
        let mut other = other;
        other.differs("select orders".to_owned(), "another count".to_owned());
        let both = one.report().and(other.report());
        assert_eq!((both.equal, both.served, both.compared()), (3, 30, 6));
        assert_eq!((both.source_ms, both.target_ms), ([9.0, 9.0], [5.0, 5.0]));
        let counts: Vec<_> = both.different.iter().map(|one| (one.how.as_str(), one.count)).collect();
        assert_eq!(counts, [("other values", 2), ("another count", 1)]);
    }
}
