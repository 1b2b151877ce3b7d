//! No promise is broken, and mistakes are found.

use crate::flaw::Flaw;
use crate::world::run;

/// Seeds of every change; more of them every night.
const SEEDS: u64 = 24;

#[test]
fn no_promise_is_broken_whatever_goes_wrong() {
    let mut requests = 0;
    for seed in 1..=SEEDS {
        let verdict = run(seed, None);
        assert!(verdict.broken.is_empty(), "{}", crate::shown(seed, &verdict));
        requests += verdict.requests;
    }
    assert!(requests > 0);
}

/// A mistake must be found within so many seeds, or it would not be found in the protocol either.
fn is_found(flaw: Flaw, seeds: u64) {
    let found = (1..=seeds).any(|seed| !run(seed, Some(flaw)).broken.is_empty());
    assert!(found, "{flaw:?} was not found in {seeds} runs");
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
}
