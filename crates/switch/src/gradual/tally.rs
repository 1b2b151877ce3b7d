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
    /// Reads that both sides answered alike.
    pub equal: u64,
    /// Reads that the source itself answered otherwise each time, so that they could not be compared.
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

    /// Reads that were looked into to the end.
    pub(super) fn compared(&self) -> u64 {
        self.equal + self.undecided + self.different.values().sum::<u64>()
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
