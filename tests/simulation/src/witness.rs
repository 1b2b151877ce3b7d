//! What is stored and written, as somebody sees it who stands outside.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde_json::Value as Json;

use super::check::Wrote;
use super::network::Place;
use super::world::EPOCH_MS;

/// What somebody sees who stands outside.
#[derive(Default)]
pub struct Witness {
    pub now: AtomicU64,
    pub seen: Mutex<Seen>,
}

/// What was seen so far.
#[derive(Default)]
pub struct Seen {
    pub owner: Option<String>,
    pub phase: String,
    pub writes: BTreeMap<u64, Vec<Wrote>>,
    /// When each phase was first stored.
    pub phases: BTreeMap<String, u64>,
    pub log: Vec<String>,
}

impl Witness {
    /// Milliseconds of the world.
    pub fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    /// The time of day, as servers have it.
    pub fn now_ms(&self) -> u64 {
        EPOCH_MS + self.now()
    }

    /// The control store has it.
    pub fn stored(&self, key: &str, value: &Json) {
        if key != "route" {
            return;
        }
        let now = self.now();
        let text = |value: &Json| value.as_str().unwrap_or("none").to_owned();
        let (owner, phase) = (text(&value["owner"]), text(&value["switch"]["phase"]));
        let line = format!("{now:>6} {owner} {phase} epoch {} fenced {}", value["epoch"], value["fenced"]);
        let mut seen = self.seen.lock();
        seen.owner = Some(owner);
        seen.phases.entry(phase.clone()).or_insert(now);
        seen.phase = phase;
        let same = seen.log.last().is_some_and(|last| last.get(7..) == line.get(7..));
        if !same {
            seen.log.push(line);
        }
    }

    /// A server has done it.
    pub fn wrote(&self, item: u64, place: Place) {
        let mut seen = self.seen.lock();
        let owner = if place == Place::Main { "main" } else { "cloud" };
        let owned = seen.owner.as_deref() == Some(owner);
        seen.writes.entry(item).or_default().push(Wrote { place, owned });
    }

    pub fn note(&self, what: &str) {
        let line = format!("{:>6} {what}", self.now());
        self.seen.lock().log.push(line);
    }

    pub fn standing(&self) -> (String, String) {
        let seen = self.seen.lock();
        (seen.phase.clone(), seen.owner.clone().unwrap_or_default())
    }
}
