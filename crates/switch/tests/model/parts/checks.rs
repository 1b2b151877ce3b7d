//! What must hold at every moment, what must be possible, and where shortcuts lead.

use stateright::{Checker, HasDiscoveries, Model, Property};
use truststream_switch::machine::Phase;

use super::world::{Entry, Moment};
use super::{Shortcut, World};

/// Set for the large worlds, which take minutes.
const LARGE: &str = "TRUSTSTREAM_MODEL";

fn ids(log: &[Entry], part: usize) -> Vec<u8> {
    log.iter().filter(|entry| entry.part == part).map(|entry| entry.id).collect()
}

fn common(log: &[Entry], other: &[Entry], part: usize) -> Vec<u8> {
    let other = ids(other, part);
    ids(log, part).into_iter().filter(|id| other.contains(id)).collect()
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
    now.logs.iter().all(|log| {
        let mut seen: Vec<_> = log.iter().map(|entry| entry.id).collect();
        seen.sort_unstable();
        seen.windows(2).all(|pair| pair[0] != pair[1])
    })
}

fn orders_agree(now: &Moment) -> bool {
    of_both(|part| common(&now.logs[0], &now.logs[1], part) == common(&now.logs[1], &now.logs[0], part))
}

/// Whoever follows saw the first changes of each part, each once, in order.
fn followers_miss_nothing(now: &Moment) -> bool {
    of_both(|part| now.acknowledged[part].starts_with(&now.reader.seen[part]))
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

struct Found {
    broken: Vec<(&'static str, usize)>,
    unreached: Vec<&'static str>,
    moments: usize,
}

fn search(world: World) -> Found {
    let names: Vec<_> = properties().iter().map(|property| property.name).collect();
    let invariants = names.iter().copied().filter(|name| name.starts_with('I')).collect();
    let checker =
        world.checker().threads(2).finish_when(HasDiscoveries::AnyOf(invariants)).spawn_bfs().join();
    let found = checker.discoveries();
    let broken = found.iter().filter(|(name, _)| name.starts_with('I'));
    Found {
        broken: broken.map(|(name, path)| (*name, path.clone().into_actions().len())).collect(),
        unreached: names
            .into_iter()
            .filter(|name| !name.starts_with('I') && !found.contains_key(name))
            .collect(),
        moments: checker.unique_state_count(),
    }
}

fn small() -> World {
    World { gateways: 1, writes: 2, crashes: 1, epochs: 8, reads: false, shortcut: None }
}

fn holds(world: World) {
    let found = search(world);
    println!("{} moments", found.moments);
    assert_eq!(found.broken, []);
    assert_eq!(found.unreached, Vec::<&str>::new());
}

#[test]
fn parts_lose_double_and_reorder_nothing() {
    holds(small());
    if std::env::var_os(LARGE).is_some() {
        holds(World { gateways: 2, ..small() });
        holds(World { writes: 3, reads: true, ..small() });
    }
}

#[test]
fn whoever_follows_a_divided_database_misses_nothing() {
    holds(World { crashes: 0, reads: true, ..small() });
}

fn leads_astray(shortcut: Shortcut, world: World) {
    let found = search(World { shortcut: Some(shortcut), ..world });
    println!("{shortcut:?}: {:?} among {} moments", found.broken, found.moments);
    assert!(!found.broken.is_empty(), "{shortcut:?} was not found among {} moments", found.moments);
}

fn plain() -> World {
    World { crashes: 0, ..small() }
}

macro_rules! shortcuts {
    ($($name:ident: $shortcut:ident in $world:expr;)*) => {
        $(#[test] fn $name() { leads_astray(Shortcut::$shortcut, $world); })*
    };
}

shortcuts! {
    a_part_acknowledged_without_draining: AckWithoutDrain in plain();
    what_was_admitted_before_the_division: ForgottenBeforeDivision in plain();
    a_part_whose_end_is_read_before_the_drain: EndBeforeDrain in plain();
    a_part_opened_before_catching_up: NoCatchUp in plain();
    stages_noted_late: LegsNotedLate in World { reads: true, ..plain() };
    a_way_back_from_the_last_cut_over: BackwardFromTheLast in plain();
    streams_that_echo: Echo in plain();
    giving_up_what_the_target_serves: GivenUpWithParts in plain();
    a_part_declared_equal: Unverified in plain();
    a_feed_without_stages: NoStages in World { reads: true, ..plain() };
}
