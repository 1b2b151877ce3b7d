//! No promise is broken, and mistakes are found.

use std::collections::BTreeSet;

use crate::faults::Plan;
use crate::flaw::Flaw;
use crate::world::{run, run_plan};

/// Seeds of every change; more of them every night.
const SEEDS: u64 = 24;

#[test]
fn no_promise_is_broken_whatever_goes_wrong() {
    let mut requests = 0;
    for seed in 1..=SEEDS {
        let verdict = run(seed, None);
        assert!(verdict.broken.is_empty(), "{}", crate::shown(seed, &verdict));
        requests += verdict.requests.len();
    }
    assert!(requests > 0);
}

#[test]
fn a_seed_that_is_repeated_is_the_same_run() {
    for seed in [2, 3, 5, 8, 13] {
        let [one, other] = [run(seed, None), run(seed, None)];
        assert_eq!(one.log, other.log, "seed {seed}");
        let differs = one.requests.iter().zip(&other.requests).find(|(one, other)| one != other);
        assert_eq!((differs, one.requests.len()), (None, other.requests.len()), "seed {seed}");
    }
}

#[test]
fn clocks_that_jump_give_no_switch_up() {
    for seed in 1..=12 {
        let verdict = run_plan(seed, Plan::only_clocks(seed), None);
        assert!(verdict.broken.is_empty(), "{}", crate::shown(seed, &verdict));
        let log = verdict.log.join("\n");
        // One that stands may be told of more than once.
        let fences = verdict.log.iter().filter(|line| line.ends_with("fenced true"));
        let fences: BTreeSet<_> = fences.map(|line| &line[7..]).collect();
        assert_eq!(fences.len(), 2, "one there and one back, and none was lifted:\n{log}");
        assert!(!log.contains("abort"), "{log}");
        assert!(log.contains("Clock"), "{log}");
    }
}

/// A mistake must be found within so many seeds, or it would not be found in the protocol either.
fn is_found(flaw: Flaw, seeds: u64) {
    let found = (1..=seeds).any(|seed| !run(seed, Some(flaw)).broken.is_empty());
    assert!(found, "{flaw:?} was not found in {seeds} runs");
}

/// Rarely does a chunk come so late that nothing that follows makes it good: with one seed in twenty or so.
#[test]
fn a_chunk_that_comes_late() {
    let is_lost = |what: &String| what.starts_with("0 times there");
    let loses = |seed| run(seed, Some(Flaw::Mutation("unguarded-copy"))).broken.iter().any(is_lost);
    assert!((1..=200).any(loses), "a chunk that is kept whoever sent it loses nothing");
}

macro_rules! flaws {
    ($($name:ident: $flaw:expr, $seeds:expr;)*) => {
        $(#[test] fn $name() { is_found($flaw, $seeds); })*
    };
}

flaws! {
    a_change_that_is_dropped: Flaw::Mutation("drop-change"), 20;
    a_batch_that_is_applied_twice: Flaw::Mutation("apply-twice"), 20;
    the_end_read_before_the_drain: Flaw::Mutation("end-before-drain"), 40;
    a_way_back_that_begins_late: Flaw::Mutation("late-reverse"), 20;
    writes_that_pass_a_fence: Flaw::Ungated, 20;
    writes_that_outlive_their_lease: Flaw::UnboundedInFlight, 40;
    a_control_store_without_compare_and_set: Flaw::BlindControl, 60;
    a_target_that_applies_again: Flaw::UnguardedApplier, 60;
    a_target_that_is_emptied_late: Flaw::Mutation("unguarded-prepare"), 20;
}
