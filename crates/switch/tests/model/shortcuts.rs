//! The protocol holds, and each of its parts is needed.

use super::checks::whole;
use super::search::{LARGE, search, shortcuts};
use super::{Shortcut, World};

/// A world small enough for every change that still has all kinds of nodes and faults.
fn small() -> World {
    World { writes: 1, expirations: 1, epochs: 4, ..whole() }
}

#[test]
fn nothing_is_lost_doubled_or_reordered_whatever_happens() {
    let world = if std::env::var_os(LARGE).is_some() { whole() } else { small() };
    search(world).holds();
}

/// One gateway and one coordinator.
fn pair() -> World {
    World { gateways: 1, coordinators: 1, expirations: 0, crashes: 0, ..whole() }
}

shortcuts! {
    writes_that_outlive_their_lease: UnboundedInFlight in World { expirations: 1, ..pair() };
    acknowledging_without_draining: AckWithoutDrain in pair();
    the_end_read_before_the_drain: EndBeforeDrain in pair();
    opening_before_catching_up: NoCatchUp in pair();
    the_way_back_armed_after_opening: ArmedLate in pair();
    an_applier_without_guard: UnguardedApplier in pair();
    a_commit_without_compare_and_set: BlindCommit in pair();
    a_successor_that_skips_steps: SkippingSuccessor in World { coordinators: 2, crashes: 1, ..pair() };
    a_lease_without_the_route: LeaseWithoutRoute in World { expirations: 1, ..pair() };
    a_lease_with_a_write_in_flight: LeaseWithInFlight in World { expirations: 1, ..pair() };
    declaring_equal_without_comparing: Unverified in pair();
}
