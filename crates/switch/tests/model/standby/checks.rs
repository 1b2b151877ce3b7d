//! What must hold at every moment, what must be possible, and where each shortcut leads.

use stateright::Property;

use super::world::Moment;
use super::{Shortcut, World};
use crate::model::search::{LARGE, is_once, search, shortcuts};

fn is_held(now: &Moment, id: u8) -> bool {
    now.mirror.iter().any(|entry| entry.id == id)
}

/// Once the mirror serves it has all that was acknowledged, but for what is said to be lost; and what
/// was acknowledged when it last held everything is not.
fn no_more_is_lost_than_is_said(now: &Moment) -> bool {
    let Some(lost) = &now.lost else { return true };
    now.acknowledged.iter().all(|id| is_held(now, *id) || lost.contains(id))
        && now.safe.iter().all(|id| is_held(now, *id))
}

fn nothing_is_twice(now: &Moment) -> bool {
    is_once(now.mirror.iter().map(|entry| entry.id).collect())
}

/// Nothing that the lost backend did comes after what the mirror's own clients wrote.
fn nothing_comes_late(now: &Moment) -> bool {
    now.mirror.windows(2).all(|pair| pair[0].applied || !pair[1].applied)
}

pub fn properties() -> Vec<Property<World>> {
    vec![
        Property::always("I1", |_, now: &Moment| no_more_is_lost_than_is_said(now)),
        Property::always("I2", |_, now: &Moment| nothing_is_twice(now)),
        Property::always("I3", |_, now: &Moment| nothing_comes_late(now)),
        Property::always("I4", |_, now: &Moment| !now.two_owners),
        Property::always("I5", |_, now: &Moment| !now.unverified),
        Property::sometimes("a write that the mirror followed, and one of its own", |_, now: &Moment| {
            now.lost.is_some()
                && now.mirror.iter().any(|entry| entry.applied)
                && now.mirror.iter().any(|entry| !entry.applied)
        }),
        Property::sometimes("a write that is said to be lost", |_, now: &Moment| {
            now.lost.as_ref().is_some_and(|lost| !lost.is_empty())
        }),
        Property::sometimes("another one takes over than began to", |_, now: &Moment| {
            now.committer.is_some_and(|by| by != 0)
        }),
        Property::sometimes("a fence lifted with the backend serving on", |_, now: &Moment| {
            now.state.route.epoch == 3 && now.owner() == 0 && !now.acknowledged.is_empty()
        }),
        Property::sometimes("a mirror made anew takes over", |_, now: &Moment| {
            now.remakes > 0 && now.lost.is_some()
        }),
    ]
}

fn small() -> World {
    World { nodes: 1, writes: 2, crashes: 0, expirations: 0, remakes: 0, epochs: 4, shortcut: None }
}

/// Two that both may lead.
fn pair() -> World {
    World { nodes: 2, writes: 1, epochs: 3, ..small() }
}

#[test]
fn a_failover_loses_no_more_than_it_says_whoever_makes_it() {
    let mut worlds = vec![
        small(),
        World { crashes: 1, ..pair() },
        World { expirations: 1, ..pair() },
        World { writes: 1, remakes: 1, ..small() },
    ];
    if std::env::var_os(LARGE).is_some() {
        worlds.push(World { writes: 2, crashes: 1, epochs: 4, ..pair() });
        worlds.push(World { expirations: 1, remakes: 1, ..pair() });
    }
    let found: Vec<_> = worlds.into_iter().map(search).collect();
    found.iter().for_each(|found| println!("{} moments", found.moments));
    assert!(
        found.iter().all(|found| found.broken.is_empty()),
        "{:?}",
        found.iter().map(|one| &one.broken).collect::<Vec<_>>()
    );
    // What can't be in one of the worlds is in another.
    let never = found[0].unreached.iter().filter(|name| found.iter().all(|one| one.unreached.contains(name)));
    assert_eq!(never.collect::<Vec<_>>(), Vec::<&&str>::new());
}

shortcuts! {
    changes_that_arrive_after_the_mirror_serves: NotSealed in small();
    acknowledging_what_a_lost_backend_took: AcknowledgedAfterwards in small();
    taking_over_without_the_other_gateways: NotAwaited in pair();
    a_mirror_that_was_not_compared: Unverified in World { remakes: 1, ..small() };
}
