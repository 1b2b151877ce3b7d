//! Registers and files: one client writes each, in growing numbers. Whoever reads sees at least what
//! was acknowledged before, and nothing that was not written yet.

use std::collections::BTreeSet;

use super::Violation;
use crate::history::{Action, History, Operation, Outcome, Seen, State};

/// Which thing an action is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Register(i64),
    File(i64),
}

pub(super) fn check(history: &History, end: &State) -> Vec<Violation> {
    let mut found = Vec::new();
    for operation in &history.operations {
        if let (Some(thing), Outcome::Done(seen)) = (read(&operation.action), &operation.outcome) {
            found.extend(judge(history, thing, seen, Some(operation)));
        }
    }
    let written: BTreeSet<Thing> =
        history.operations.iter().filter_map(|one| write(&one.action)).map(|(thing, _)| thing).collect();
    for thing in written {
        let seen = match thing {
            Thing::Register(register) => end.registers.get(&register).map(|value| Seen::Number(*value)),
            Thing::File(file) => end.files.get(&file).cloned(),
        };
        found.extend(judge(history, thing, &seen.unwrap_or(Seen::Number(0)), None));
    }
    found
}

fn read(action: &Action) -> Option<Thing> {
    match action {
        Action::Get { register } => Some(Thing::Register(*register)),
        Action::GetFile { file } => Some(Thing::File(*file)),
        _ => None,
    }
}

fn write(action: &Action) -> Option<(Thing, i64)> {
    match action {
        Action::Set { register, value } => Some((Thing::Register(*register), *value)),
        Action::PutFile { file, number } => Some((Thing::File(*file), *number)),
        _ => None,
    }
}

/// Judges a value by the writes before it; `reading` is absent for what is there at the end.
fn judge(history: &History, thing: Thing, seen: &Seen, reading: Option<&Operation>) -> Option<Violation> {
    let wanted = match seen {
        Seen::Number(number) => *number,
        Seen::Damaged(what) => return Some(Violation::new("damaged", format!("{thing:?}: {what}"))),
        _ => return Some(Violation::new("damaged", format!("{thing:?}: {seen:?}"))),
    };
    let writes = history.operations.iter().filter_map(|one| {
        write(&one.action).filter(|(other, _)| *other == thing).map(|(_, number)| (one, number))
    });
    let (mut least, mut possible, mut late) = (0, BTreeSet::from([0]), false);
    for (one, number) in writes {
        if one.is_done() && reading.is_none_or(|reading| one.ended < reading.began) {
            least = least.max(number);
        }
        // What nobody was told of may have been on its way for long.
        late |= number == wanted && !one.is_done() && one.may_have_happened();
        if one.may_have_happened() && reading.is_none_or(|reading| one.began < reading.ended) {
            possible.insert(number);
        }
    }
    let when = reading.map_or("at the end".to_owned(), |reading| format!("at {:?}", reading.began));
    let may_be_stale = reading.is_some_and(|reading| history.may_be_stale(reading));
    if wanted < least && !late && !may_be_stale {
        let rule = if reading.is_some() { "stale" } else { "lost" };
        return Some(Violation::new(rule, format!("{thing:?} {when}: {wanted}, acknowledged was {least}")));
    }
    if !possible.contains(&wanted) {
        return Some(Violation::new("ghost", format!("{thing:?} {when}: {wanted} was not written")));
    }
    None
}
