//! Lists that grow by compare and set: one order, which every reader sees a beginning of.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{Action, History, Outcome, Seen, State};

pub(super) fn check(history: &History, end: &State) -> Vec<Violation> {
    let mut found = Vec::new();
    let none = Vec::new();
    let at_end = |list: &i64| end.lists.get(list).unwrap_or(&none);
    let mut possible: HashSet<(i64, &str)> = HashSet::new();
    let mut taken: HashMap<(i64, usize), &str> = HashMap::new();
    for operation in &history.operations {
        match (&operation.action, &operation.outcome) {
            (Action::Append { list, item, length }, Outcome::Done(_)) => {
                possible.insert((*list, item));
                if let Some(other) = taken.insert((*list, *length), item) {
                    let what = format!("list {list}: {other} and {item} both became item {length}");
                    found.push(Violation::new("forked", what));
                }
                match at_end(list).get(*length) {
                    Some(there) if there == item => {}
                    _ if at_end(list).contains(item) => {
                        let what = format!("list {list}: {item} is not item {length}");
                        found.push(Violation::new("order", what));
                    }
                    _ => found.push(Violation::new("lost", format!("list {list}: {item}, item {length}"))),
                }
            }
            (Action::Append { list, item, .. }, Outcome::Unknown(_)) => {
                possible.insert((*list, item));
            }
            _ => {}
        }
    }
    for (list, items) in &end.lists {
        let mut seen = HashSet::new();
        for item in items {
            if !seen.insert(item) {
                found.push(Violation::new("doubled", format!("list {list}: {item}")));
            }
            if !possible.contains(&(*list, item.as_str())) {
                let what = format!("list {list}: {item} was refused or never written");
                found.push(Violation::new("ghost", what));
            }
        }
    }
    found.extend(reads(history, end));
    found
}

/// A read sees a beginning of the list, and at least what was acknowledged before it began.
fn reads(history: &History, end: &State) -> Vec<Violation> {
    let mut found = Vec::new();
    for read in &history.operations {
        let (Action::ReadList { list }, Outcome::Done(Seen::Items(items))) = (&read.action, &read.outcome)
        else {
            continue;
        };
        let there = end.lists.get(list).map_or(&[][..], Vec::as_slice);
        if !there.starts_with(items) {
            found.push(Violation::new("order", format!("list {list}: what was read at {:?}", read.ended)));
        }
        let acknowledged = history.operations.iter().filter(|one| one.is_done() && one.ended < read.began);
        let longest = acknowledged.filter_map(|one| match &one.action {
            Action::Append { list: other, length, .. } if other == list => Some(length + 1),
            _ => None,
        });
        let seen_less = longest.max().filter(|longest| *longest > items.len());
        if let Some(longest) = seen_less.filter(|_| !history.may_be_stale(read)) {
            let what = format!("list {list} at {:?}: {} of {longest} items", read.began, items.len());
            found.push(Violation::new("stale", what));
        }
    }
    found
}
