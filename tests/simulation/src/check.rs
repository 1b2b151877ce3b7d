//! What must hold of everything that clients were told, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::network::Place;
use super::workload::{Action, LISTS, Request, Told};

/// A write that a server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrote {
    pub place: Place,
    /// Whether the stored route named that backend at that moment.
    pub owned: bool,
}

/// What is there at the end, where the route leads to.
pub struct End {
    pub lists: BTreeMap<i64, Vec<u64>>,
    pub notes: BTreeSet<u64>,
    pub writes: BTreeMap<u64, Vec<Wrote>>,
}

/// Everything that does not hold, in words.
pub fn check(requests: &[Request], end: &End) -> Vec<String> {
    let mut broken = Vec::new();
    for request in requests {
        match request.action {
            Action::Append { list, item } => {
                let times = end.lists[&list].iter().filter(|there| **there == item).count();
                present(request, times, &mut broken);
                owned(request, item, end, &mut broken);
            }
            Action::Note { item } => {
                present(request, usize::from(end.notes.contains(&item)), &mut broken);
                owned(request, item, end, &mut broken);
            }
            Action::Read { .. } => {}
        }
    }
    for list in 0..LISTS {
        one_order(list, requests, &end.lists[&list], &mut broken);
    }
    broken
}

/// What was acknowledged is there once; what is said to have had no effect is not there.
fn present(request: &Request, times: usize, broken: &mut Vec<String>) {
    let holds = match &request.told {
        Some((_, Told::Done(_))) => times == 1,
        Some((_, Told::NotApplied)) => times == 0,
        Some((_, Told::Unknown)) | None => times <= 1,
    };
    if !holds {
        broken.push(format!("{times} times there: {request:?}"));
    }
}

/// What was acknowledged was done by the backend that the route named then.
fn owned(request: &Request, item: u64, end: &End, broken: &mut Vec<String>) {
    if !matches!(request.told, Some((_, Told::Done(_)))) {
        return;
    }
    if end.writes.get(&item).is_none_or(|writes| writes.iter().any(|wrote| !wrote.owned)) {
        broken.push(format!("another backend owned the route: {request:?}, {:?}", end.writes.get(&item)));
    }
}

/// Whatever was ever seen of a list is the beginning of what it is at the end, and holds what was
/// acknowledged before anybody asked.
fn one_order(list: i64, requests: &[Request], end: &[u64], broken: &mut Vec<String>) {
    let mut done: Vec<(u64, u64)> = Vec::new();
    for request in requests {
        if let (Action::Append { list: of, item }, Some((ended, Told::Done(_)))) =
            (request.action, &request.told)
            && of == list
        {
            done.push((*ended, item));
        }
    }
    for request in requests {
        let (of, writes) = match request.action {
            Action::Append { list, .. } => (list, true),
            Action::Read { list } => (list, false),
            Action::Note { .. } => continue,
        };
        let Some((_, Told::Done(seen))) = request.told.as_ref().filter(|_| of == list) else { continue };
        if !end.starts_with(seen) {
            broken.push(format!("list {list} was seen as it never was: {request:?}; it ends as {end:?}"));
        }
        let before = done.iter().filter(|(ended, _)| *ended < request.began);
        if writes && let Some((_, item)) = before.into_iter().find(|(_, item)| !seen.contains(item)) {
            broken.push(format!("{item} was acknowledged before, and not seen: {request:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(item: u64, began: u64, told: Told) -> Request {
        Request { action: Action::Append { list: 0, item }, began, told: Some((began + 1, told)) }
    }

    fn end(items: &[u64]) -> End {
        let mut lists: BTreeMap<i64, Vec<u64>> = (0..LISTS).map(|list| (list, Vec::new())).collect();
        lists.insert(0, items.to_vec());
        let wrote = |item: &u64| (*item, vec![Wrote { place: Place::Main, owned: *item != 9 }]);
        End { lists, notes: BTreeSet::new(), writes: [1, 2, 3, 9].iter().map(wrote).collect() }
    }

    #[test]
    fn what_holds_is_not_complained_of() {
        let requests =
            [append(1, 0, Told::Done(vec![1])), append(2, 5, Told::Unknown), append(3, 10, Told::NotApplied)];
        assert_eq!(check(&requests, &end(&[1])), Vec::<String>::new());
        assert_eq!(check(&requests, &end(&[1, 2])), Vec::<String>::new());
    }

    #[test]
    fn each_promise_is_seen_to_be_broken() {
        let broken = |requests: &[Request], items: &[u64]| !check(requests, &end(items)).is_empty();
        assert!(broken(&[append(1, 0, Told::Done(vec![1]))], &[]), "lost");
        assert!(broken(&[append(1, 0, Told::Done(vec![1]))], &[1, 1]), "doubled");
        assert!(broken(&[append(1, 0, Told::Unknown)], &[1, 1]), "doubled, unknown");
        assert!(broken(&[append(3, 0, Told::NotApplied)], &[3]), "said to have had no effect");
        assert!(broken(&[append(9, 0, Told::Done(vec![9]))], &[9]), "two owners");
        let reordered = [append(1, 0, Told::Done(vec![1])), append(2, 5, Told::Done(vec![1, 2]))];
        assert!(broken(&reordered, &[2, 1]), "another order");
        let stale = [append(1, 0, Told::Done(vec![2, 1])), append(2, 5, Told::Done(vec![2]))];
        assert!(broken(&stale, &[2, 1]), "not seen");
    }
}
