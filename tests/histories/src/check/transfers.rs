//! Money moved between accounts: no reader ever sees any of it missing.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{FIRST_BALANCE, Violation};
use crate::history::{Action, History, Outcome, Seen, State};

pub(super) fn check(history: &History, end: &State) -> Vec<Violation> {
    let mut found = Vec::new();
    for operation in &history.operations {
        if let Outcome::Done(Seen::Balances(balances)) = &operation.outcome {
            found.extend(sum(balances, &format!("read at {:?}", operation.ended)));
        }
    }
    found.extend(sum(&end.balances, "at the end"));

    let mut there: HashMap<&str, usize> = HashMap::new();
    let mut balances: BTreeMap<i64, i64> = end.balances.keys().map(|id| (*id, FIRST_BALANCE)).collect();
    for (id, from, to, amount) in &end.transfers {
        *there.entry(id).or_default() += 1;
        *balances.entry(*from).or_default() -= amount;
        *balances.entry(*to).or_default() += amount;
    }
    if balances != end.balances {
        found.push(Violation::new("sum", "the transfers that are written down don't give the balances"));
    }
    let mut written: Vec<_> = end.transfers.iter().map(|(id, ..)| id).collect();
    let mut receipts: Vec<_> = end.receipts.iter().collect();
    written.sort_unstable();
    receipts.sort_unstable();
    if written != receipts {
        found.push(Violation::new("torn", "the receipts are not those of the transfers"));
    }
    let mut possible = HashSet::new();
    for operation in &history.operations {
        let Action::Transfer { id, .. } = &operation.action else { continue };
        if operation.may_have_happened() {
            possible.insert(id.as_str());
        }
        match there.get(id.as_str()).copied().unwrap_or_default() {
            0 if operation.is_done() => found.push(Violation::new("lost", format!("transfer {id}"))),
            0 | 1 => {}
            count => found.push(Violation::new("doubled", format!("transfer {id}, {count} times"))),
        }
    }
    for id in there.keys().filter(|id| !possible.contains(*id)) {
        found.push(Violation::new("ghost", format!("transfer {id} was refused or never made")));
    }
    found
}

fn sum(balances: &BTreeMap<i64, i64>, when: &str) -> Option<Violation> {
    let total: i64 = balances.values().sum();
    let expected = FIRST_BALANCE * balances.len() as i64;
    (total != expected).then(|| Violation::new("sum", format!("{when}: {total} of {expected}")))
}
