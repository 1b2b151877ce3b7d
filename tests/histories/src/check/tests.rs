//! The checker must be able to find each thing that it looks for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{FIRST_BALANCE, check};
use crate::history::{Action, Away, Event, History, Operation, Outcome, Seen, State, Subscription};

/// A history whose operations follow one another, each a millisecond long.
fn history(operations: Vec<(Action, Outcome)>) -> History {
    let operations = operations.into_iter().enumerate().map(|(at, (action, outcome))| Operation {
        client: 1,
        action,
        began: Duration::from_millis(2 * at as u64),
        ended: Duration::from_millis(2 * at as u64 + 1),
        outcome,
    });
    History { operations: operations.collect(), ..History::default() }
}

const DONE: Outcome = Outcome::Done(Seen::Nothing);

fn unknown() -> Outcome {
    Outcome::Unknown("the connection broke".to_owned())
}

fn note(id: &str, number: i64) -> Action {
    Action::AddNote { id: id.to_owned(), number }
}

fn append(item: &str, length: usize) -> Action {
    Action::Append { list: 1, item: item.to_owned(), length }
}

fn transfer(id: &str) -> Action {
    Action::Transfer { id: id.to_owned(), from: 1, to: 2, amount: 10 }
}

fn rules(history: &History, end: &State) -> Vec<&'static str> {
    let mut rules: Vec<_> = check(history, end).iter().map(|violation| violation.rule).collect();
    rules.sort_unstable();
    rules
}

fn notes(ids: &[&str]) -> State {
    State { notes: ids.iter().map(|id| (*id).to_owned()).collect(), ..State::default() }
}

fn list(items: &[&str]) -> State {
    let items = items.iter().map(|item| (*item).to_owned()).collect();
    State { lists: BTreeMap::from([(1, items)]), ..State::default() }
}

fn money(first: i64, second: i64, transfers: &[&str]) -> State {
    State {
        balances: BTreeMap::from([(1, first), (2, second)]),
        transfers: transfers.iter().map(|id| ((*id).to_owned(), 1, 2, 10)).collect(),
        receipts: transfers.iter().map(|id| (*id).to_owned()).collect(),
        ..State::default()
    }
}

#[test]
fn notes_are_there_once_or_were_never_acknowledged() {
    let one = history(vec![(note("a", 1), DONE), (note("b", 2), unknown())]);
    assert_eq!(rules(&one, &notes(&["a"])), [""; 0]);
    assert_eq!(rules(&one, &notes(&["a", "b"])), [""; 0]);
    assert_eq!(rules(&one, &notes(&["b"])), ["lost"]);
    assert_eq!(rules(&one, &notes(&["a", "a"])), ["doubled"]);
    assert_eq!(rules(&one, &notes(&["a", "c"])), ["ghost"]);
    let refused = history(vec![(note("a", 1), Outcome::Refused("400".to_owned()))]);
    assert_eq!(rules(&refused, &notes(&["a"])), ["ghost"]);
}

#[test]
fn a_removal_is_not_undone() {
    let remove = Action::RemoveNote { id: "a".to_owned() };
    let done = history(vec![(note("a", 1), DONE), (remove.clone(), DONE)]);
    assert_eq!(rules(&done, &notes(&[])), [""; 0]);
    assert_eq!(rules(&done, &notes(&["a"])), ["lost"]);
    let maybe = history(vec![(note("a", 1), DONE), (remove, unknown())]);
    assert_eq!(rules(&maybe, &notes(&[])), [""; 0]);
    assert_eq!(rules(&maybe, &notes(&["a"])), [""; 0]);
}

#[test]
fn a_list_has_one_order() {
    let two = history(vec![(append("a", 0), DONE), (append("b", 1), DONE)]);
    assert_eq!(rules(&two, &list(&["a", "b"])), [""; 0]);
    assert_eq!(rules(&two, &list(&["a"])), ["lost"]);
    assert_eq!(rules(&two, &list(&["b", "a"])), ["order", "order"]);
    assert_eq!(rules(&two, &list(&["a", "b", "b"])), ["doubled"]);
    assert_eq!(rules(&two, &list(&["a", "b", "c"])), ["ghost"]);
    let forked = history(vec![(append("a", 0), DONE), (append("b", 0), DONE)]);
    assert_eq!(rules(&forked, &list(&["a"])), ["forked", "lost"]);
}

#[test]
fn a_list_is_read_as_far_as_it_was_acknowledged() {
    let read = |items: &[&str]| {
        let seen = Seen::Items(items.iter().map(|item| (*item).to_owned()).collect());
        history(vec![(append("a", 0), DONE), (Action::ReadList { list: 1 }, Outcome::Done(seen))])
    };
    assert_eq!(rules(&read(&["a"]), &list(&["a"])), [""; 0]);
    assert_eq!(rules(&read(&[]), &list(&["a"])), ["stale"]);
    assert_eq!(rules(&read(&["b"]), &list(&["a"])), ["order"]);
}

#[test]
fn less_may_be_seen_only_through_a_gateway_that_lost_touch() {
    let set = |value| (Action::Set { register: 1, value }, DONE);
    let get = |value| (Action::Get { register: 1 }, Outcome::Done(Seen::Number(value)));
    let stale = history(vec![set(1), set(2), get(1)]);
    let end = State { registers: BTreeMap::from([(1, 2)]), ..State::default() };
    let away = |gateway, from, to| {
        let [from, to] = [from, to].map(Duration::from_millis);
        rules(&History { gateways: 2, away: vec![Away { gateway, from, to }], ..stale.clone() }, &end)
    };
    assert_eq!(away(0, 3, 4), [""; 0]);
    assert_eq!(away(1, 3, 4), ["stale"], "another one");
    assert_eq!(away(0, 0, 3), ["stale"], "it was back");
    assert_eq!(away(0, 6, 9), ["stale"], "it had not lost touch yet");
}

#[test]
fn registers_and_files_only_grow() {
    let set = |value| (Action::Set { register: 1, value }, DONE);
    let get = |value| (Action::Get { register: 1 }, Outcome::Done(Seen::Number(value)));
    let end = |value| State { registers: BTreeMap::from([(1, value)]), ..State::default() };
    assert_eq!(rules(&history(vec![set(1), get(1), set(2), get(2)]), &end(2)), [""; 0]);
    assert_eq!(rules(&history(vec![set(1), set(2), get(1)]), &end(2)), ["stale"]);
    assert_eq!(rules(&history(vec![set(1), set(2)]), &end(1)), ["lost"]);
    assert_eq!(rules(&history(vec![set(1), get(7)]), &end(1)), ["ghost"]);
    let file = history(vec![(Action::PutFile { file: 1, number: 1 }, DONE)]);
    let holds = |seen| State { files: BTreeMap::from([(1, seen)]), ..State::default() };
    assert_eq!(rules(&file, &holds(Seen::Number(1))), [""; 0]);
    assert_eq!(rules(&file, &holds(Seen::Damaged("half of it".to_owned()))), ["damaged"]);
    assert_eq!(rules(&file, &State::default()), ["lost"]);
}

#[test]
fn money_is_neither_made_nor_lost() {
    let one = history(vec![(transfer("t"), DONE)]);
    let (less, more) = (FIRST_BALANCE - 10, FIRST_BALANCE + 10);
    assert_eq!(rules(&one, &money(less, more, &["t"])), [""; 0]);
    assert_eq!(rules(&one, &money(FIRST_BALANCE, FIRST_BALANCE, &[])), ["lost"]);
    assert_eq!(rules(&one, &money(less, FIRST_BALANCE, &["t"])), ["sum", "sum"]);
    assert_eq!(rules(&one, &money(less - 10, more + 10, &["t", "t"])), ["doubled"]);
    let torn = State { receipts: Vec::new(), ..money(less, more, &["t"]) };
    assert_eq!(rules(&one, &torn), ["torn"]);
    let lost = history(vec![(transfer("t"), Outcome::Lost)]);
    assert_eq!(rules(&lost, &money(less, more, &["t"])), ["ghost"]);
    let torn = Outcome::Done(Seen::Balances(BTreeMap::from([(1, less), (2, FIRST_BALANCE)])));
    let read = history(vec![(Action::ReadBalances, torn)]);
    assert_eq!(rules(&read, &money(FIRST_BALANCE, FIRST_BALANCE, &[])), ["sum"]);
}

#[test]
fn a_session_is_never_signed_out() {
    let rotate = |why: &str| history(vec![(Action::Rotate { session: 1 }, Outcome::Refused(why.to_owned()))]);
    assert_eq!(rules(&rotate("400 refresh_token_not_found"), &State::default()), ["signed out"]);
    assert_eq!(rules(&rotate("the connection was refused"), &State::default()), [""; 0]);
}

#[test]
fn a_subscriber_sees_every_change_once_and_in_order() {
    let event = |id: &str, number| Event { id: id.to_owned(), client: 1, number };
    let saw = |events: Vec<Event>, broken| {
        let mut history = history(vec![(note("a", 1), DONE), (note("b", 2), DONE)]);
        for operation in &mut history.operations {
            operation.began += Duration::from_millis(1);
        }
        history.subscriptions.push(Subscription { since: Duration::ZERO, events, broken });
        history
    };
    let end = notes(&["a", "b"]);
    assert_eq!(rules(&saw(vec![event("a", 1), event("b", 2)], false), &end), [""; 0]);
    assert_eq!(rules(&saw(vec![event("a", 1)], false), &end), ["missed"]);
    assert_eq!(rules(&saw(vec![event("a", 1)], true), &end), [""; 0]);
    assert_eq!(rules(&saw(vec![event("b", 2), event("a", 1)], false), &end), ["order"]);
    assert_eq!(rules(&saw(vec![event("a", 1), event("b", 2), event("a", 1)], false), &end), ["doubled"]);
    assert_eq!(rules(&saw(vec![event("a", 1), event("b", 2), event("c", 3)], false), &end), ["ghost"]);
}
