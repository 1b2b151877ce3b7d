//! What must hold at every moment, what must be possible, and where shortcuts lead.

use stateright::Property;
use truststream_switch::machine::Phase;

use super::world::{Entry, Moment};
use super::{Shortcut, World};
use crate::model::search::{LARGE, agree, is_once, search, shortcuts};

fn ids(log: &[Entry], part: usize) -> Vec<u8> {
    log.iter().filter(|entry| entry.part == part).map(|entry| entry.id).collect()
}

fn of_both(holds: impl Fn(usize) -> bool) -> bool {
    holds(0) && holds(1)
}

/// What a side that is open for a part's writes must have.
fn nothing_is_lost(now: &Moment) -> bool {
    of_both(|part| {
        let open = ids(&now.logs[now.owner(part)], part);
        now.held(part) || now.acknowledged[part].iter().all(|id| open.contains(id))
    })
}

fn nothing_is_twice(now: &Moment) -> bool {
    now.logs.iter().all(|log| is_once(log.iter().map(|entry| entry.id).collect()))
}

fn orders_agree(now: &Moment) -> bool {
    of_both(|part| agree(&ids(&now.logs[0], part), &ids(&now.logs[1], part)))
}

/// Whoever follows saw the first changes of each part, each once, in order.
fn followers_miss_nothing(now: &Moment) -> bool {
    of_both(|part| now.acknowledged[part].starts_with(&now.reader.seen[part]))
}

/// What a gateway has seen written together is on one side.
fn nothing_is_torn(now: &Moment) -> bool {
    !now.has_moved() || now.gateways.iter().all(|gateway| !gateway.saw_both)
}

fn came_back(now: &Moment) -> bool {
    !now.has_moved() && now.phase() == Phase::Ready && now.state.route.legs.len() > 1
}

pub fn properties() -> Vec<Property<World>> {
    vec![
        Property::always("I1", |_, now: &Moment| nothing_is_lost(now)),
        Property::always("I2", |_, now: &Moment| nothing_is_twice(now)),
        Property::always("I3", |_, now: &Moment| orders_agree(now)),
        Property::always("I4", |_, now: &Moment| !now.two_owners),
        Property::always("I5", |_, now: &Moment| !now.unverified),
        Property::always("I7 followers", |_, now: &Moment| followers_miss_nothing(now)),
        Property::always("I8 written together", |_, now: &Moment| nothing_is_torn(now)),
        Property::sometimes("a write to the part on the target, before the commit", |_, now: &Moment| {
            now.has_moved() && now.logs[1].iter().any(|entry| !entry.applied)
        }),
        Property::sometimes("the rest written while the part is held", |_, now: &Moment| now.not_held),
        Property::sometimes("a part that came back with a write", |_, now: &Moment| {
            came_back(now) && now.logs[0].iter().any(|entry| entry.applied)
        }),
        Property::sometimes("a commit after the part", |_, now: &Moment| {
            now.phase() == Phase::Committed
                && now.state.route.handover.as_ref().is_some_and(|handover| !handover.legs.is_empty())
        }),
        Property::sometimes("everything back", |_, now: &Moment| {
            now.phase() == Phase::RolledBack && now.logs[0].iter().any(|entry| entry.applied)
        }),
        Property::sometimes("given up after a part came back", |_, now: &Moment| {
            now.phase() == Phase::Aborting && now.state.route.legs.len() > 1
        }),
    ]
}

fn small() -> World {
    World { gateways: 1, writes: 2, batches: 0, crashes: 1, epochs: 8, reads: false, shortcut: None }
}

#[test]
fn parts_lose_double_and_reorder_nothing() {
    search(small()).holds();
    if std::env::var_os(LARGE).is_some() {
        search(World { gateways: 2, ..small() }).holds();
        search(World { writes: 3, reads: true, ..small() }).holds();
    }
}

#[test]
fn whoever_follows_a_divided_database_misses_nothing() {
    search(World { crashes: 0, reads: true, ..small() }).holds();
}

/// Two gateways, one of which may see what the other does not.
fn together() -> World {
    World { gateways: 2, writes: 0, batches: 1, crashes: 0, epochs: 8, reads: false, shortcut: None }
}

#[test]
fn what_any_gateway_saw_written_together_is_never_served_by_two_backends() {
    let found = search(together());
    println!("{} moments", found.moments);
    assert_eq!(found.broken, []);
}

fn plain() -> World {
    World { crashes: 0, ..small() }
}

shortcuts! {
    a_part_acknowledged_without_draining: AckWithoutDrain in plain();
    what_was_admitted_before_the_division: ForgottenBeforeDivision in plain();
    what_a_gateway_saw_and_did_not_tell: UntoldTies in together();
    a_part_whose_end_is_read_before_the_drain: EndBeforeDrain in plain();
    a_part_opened_before_catching_up: NoCatchUp in plain();
    stages_noted_late: LegsNotedLate in World { reads: true, ..plain() };
    a_way_back_from_the_last_cut_over: BackwardFromTheLast in plain();
    streams_that_echo: Echo in plain();
    giving_up_what_the_target_serves: GivenUpWithParts in plain();
    a_part_declared_equal: Unverified in plain();
    a_feed_without_stages: NoStages in World { reads: true, ..plain() };
}
