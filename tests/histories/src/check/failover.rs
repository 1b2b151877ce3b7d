//! What a failover may cost: what was acknowledged in the time of which it says so, and no more of it
//! than it says. Everything else holds as ever.

use std::collections::HashSet;
use std::time::Duration;

use super::{Violation, check};
use crate::history::{Action, History, Operation, Outcome, State};

/// What a fleet says of a failover. Times are since the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What was acknowledged before is not lost.
    pub from: Duration,
    /// Nor is what was asked for after.
    pub until: Duration,
    /// Most writes that the gateway which decided had acknowledged and that are lost.
    pub writes: u64,
    /// That gateway.
    pub decider: usize,
    /// How many gateways there are; clients are spread over them in turn.
    pub gateways: usize,
}

/// Whoever reads may see what is under way, and acknowledged only later.
const UNDER_WAY: Duration = Duration::from_secs(1);

/// Everything that must not be.
pub fn check_failover(history: &History, end: &State, told: &Told) -> Vec<Violation> {
    let mut found = check(&softened(history, told), end);
    let of_decider =
        |one: &&Operation| (one.client as usize + told.gateways - 1) % told.gateways == told.decider;
    let lost = history.operations.iter().filter(of_decider).filter(|one| one.is_done() && is_lost(one, end));
    let count = lost.count() as u64;
    if count > told.writes {
        let what = format!("{count} writes are lost of one gateway, which says at most {}", told.writes);
        found.push(Violation::new("lost", what));
    }
    found
}

/// The history as it is when nobody can rely on what was acknowledged in that time. Whoever followed
/// changes was told that some may be missing; sessions may have gone with them.
fn softened(history: &History, told: &Told) -> History {
    let mut history = history.clone();
    history.subscriptions.clear();
    history.operations.retain(|one| {
        let early = one.ended + UNDER_WAY < told.from;
        !matches!(one.action, Action::Rotate { .. }) && (one.is_write() || early || one.began > told.until)
    });
    for one in &mut history.operations {
        if one.is_done() && one.ended >= told.from && one.began <= told.until {
            one.outcome = Outcome::Unknown("acknowledged by a backend that was lost".to_owned());
        }
    }
    history
}

/// Whether a write that leaves a trace of its own left none.
fn is_lost(one: &Operation, end: &State) -> bool {
    match &one.action {
        Action::Append { list, item, .. } => !end.lists.get(list).is_some_and(|items| items.contains(item)),
        Action::Transfer { id, .. } => {
            let ids: HashSet<&str> = end.transfers.iter().map(|(id, ..)| id.as_str()).collect();
            !ids.contains(id.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Seen;

    fn append(client: i64, item: &str, at: u64) -> Operation {
        let (began, ended) = (Duration::from_secs(at), Duration::from_millis(at * 1_000 + 5));
        let action = Action::Append { list: 1, item: item.to_owned(), length: 0 };
        Operation { client, action, began, ended, outcome: Outcome::Done(Seen::Nothing) }
    }

    fn judged(operations: Vec<Operation>, there: &[&str], writes: u64) -> Vec<Violation> {
        let history = History { operations, ..History::default() };
        let mut end = State::default();
        end.lists.insert(1, there.iter().map(|item| (*item).to_owned()).collect());
        let (from, until) = (Duration::from_secs(10), Duration::from_secs(12));
        let told = Told { from, until, writes, decider: 0, gateways: 2 };
        check_failover(&history, &end, &told).into_iter().filter(|one| one.rule == "lost").collect()
    }

    #[test]
    fn only_what_is_said_to_be_lost_may_be() {
        let told = [append(1, "a", 5), append(1, "b", 11)];
        assert_eq!(judged(told.to_vec(), &["a"], 1), []);
        assert_eq!(judged(told.to_vec(), &["b"], 1).len(), 1, "acknowledged before that time");
        let more = judged(told.to_vec(), &["a"], 0);
        assert!(more[0].what.contains("says at most 0"), "{more:?}");
        // What another gateway acknowledged is bounded by the time alone.
        assert_eq!(judged(vec![append(2, "c", 11)], &[], 0), []);
        assert_eq!(judged(vec![append(2, "c", 13)], &[], 9).len(), 1, "acknowledged after that time");
    }
}
