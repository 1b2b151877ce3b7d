//! Subscriptions: every change once, those of a client in its order.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{Action, History, Operation, Subscription};

pub(super) fn check(history: &History) -> Vec<Violation> {
    history.subscriptions.iter().flat_map(|subscription| one(history, subscription)).collect()
}

fn one(history: &History, subscription: &Subscription) -> Vec<Violation> {
    let mut found = Vec::new();
    // What nobody was told of may have been on its way for long.
    let late: HashSet<&str> = history.operations.iter().filter_map(unknown).collect();
    let mut seen = HashSet::new();
    let mut last: HashMap<i64, i64> = HashMap::new();
    for event in &subscription.events {
        if !seen.insert(event.id.as_str()) {
            found.push(Violation::new("doubled", format!("the event of note {}", event.id)));
            continue;
        }
        if late.contains(event.id.as_str()) {
            continue;
        }
        if let Some(before) = last.insert(event.client, event.number)
            && before > event.number
        {
            let what = format!("client {}: event {} after {before}", event.client, event.number);
            found.push(Violation::new("order", what));
        }
    }
    let mut possible = HashSet::new();
    for operation in &history.operations {
        let Action::AddNote { id, .. } = &operation.action else { continue };
        if operation.may_have_happened() {
            possible.insert(id.as_str());
        }
        let due = operation.is_done() && operation.began > subscription.since && !subscription.broken;
        if due && !seen.contains(id.as_str()) {
            let when = operation.ended;
            found.push(Violation::new("missed", format!("the event of note {id}, acknowledged at {when:?}")));
        }
    }
    for id in seen.difference(&possible) {
        found.push(Violation::new("ghost", format!("an event of note {id}, which was never written")));
    }
    found
}

/// The note that was perhaps written.
fn unknown(operation: &Operation) -> Option<&str> {
    match &operation.action {
        Action::AddNote { id, .. } if operation.may_have_happened() && !operation.is_done() => Some(id),
        _ => None,
    }
}
