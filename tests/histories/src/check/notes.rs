//! Rows that are added and removed: every acknowledged one is there once, none that nobody wrote.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{Action, History, State};

pub(super) fn check(history: &History, end: &State) -> Vec<Violation> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for id in &end.notes {
        *there.entry(id).or_default() += 1;
    }
    let mut found = Vec::new();
    let mut possible = HashSet::new();
    let mut maybe_removed = HashSet::new();
    let mut removed = HashSet::new();
    for operation in &history.operations {
        match &operation.action {
            Action::AddNote { id, .. } if operation.may_have_happened() => {
                possible.insert(id.as_str());
            }
            Action::RemoveNote { id } if operation.is_done() => {
                removed.insert(id.as_str());
            }
            Action::RemoveNote { id } if operation.may_have_happened() => {
                maybe_removed.insert(id.as_str());
            }
            _ => {}
        }
    }
    for (id, count) in &there {
        if *count > 1 {
            found.push(Violation::new("doubled", format!("note {id} is there {count} times")));
        }
        if !possible.contains(id) {
            found.push(Violation::new("ghost", format!("note {id} was refused or never written")));
        }
        if removed.contains(id) {
            found.push(Violation::new("lost", format!("the removal of note {id}")));
        }
    }
    for operation in history.operations.iter().filter(|operation| operation.is_done()) {
        if let Action::AddNote { id, .. } = &operation.action {
            let id = id.as_str();
            if !there.contains_key(id) && !removed.contains(id) && !maybe_removed.contains(id) {
                let when = operation.ended;
                found.push(Violation::new("lost", format!("note {id}, acknowledged at {when:?}")));
            }
        }
    }
    found
}
