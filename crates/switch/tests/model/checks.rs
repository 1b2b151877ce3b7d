//! What must hold at every moment, and what must be possible for that to mean anything.

use stateright::Property;
use truststream_switch::machine::Phase;

use super::search::{agree, is_once};
use super::world::{Entry, Moment, Shortcut, World};

fn ids(log: &[Entry]) -> Vec<u8> {
    log.iter().map(|entry| entry.id).collect()
}

/// No acknowledged write is missing from the side that is open for writes.
fn nothing_is_lost(now: &Moment) -> bool {
    let open = ids(&now.logs[now.owner()]);
    now.state.route.fenced || now.acknowledged.iter().all(|id| open.contains(id))
}

/// No write is on a side twice.
fn nothing_is_twice(now: &Moment) -> bool {
    now.logs.iter().all(|log| is_once(ids(log)))
}

/// What both sides have, they have in the same order.
fn orders_agree(now: &Moment) -> bool {
    agree(&ids(&now.logs[0]), &ids(&now.logs[1]))
}

pub fn properties() -> Vec<Property<World>> {
    vec![
        Property::always("I1", |_, now: &Moment| nothing_is_lost(now)),
        Property::always("I2", |_, now: &Moment| nothing_is_twice(now)),
        Property::always("I3", |_, now: &Moment| orders_agree(now)),
        Property::always("I4", |_, now: &Moment| !now.two_owners),
        Property::always("I5", |_, now: &Moment| !now.unverified),
        Property::sometimes("a write on the target", |_, now: &Moment| {
            now.phase() == Phase::Committed && now.logs[1].iter().any(|entry| !entry.applied)
        }),
        Property::sometimes("a way back that keeps it", |_, now: &Moment| {
            now.phase() == Phase::RolledBack && now.logs[0].iter().any(|entry| entry.applied)
        }),
        Property::sometimes("given up with a write kept", |_, now: &Moment| {
            now.phase() == Phase::Aborting && !now.acknowledged.is_empty()
        }),
        Property::sometimes("a fence lifted", |_, now: &Moment| {
            now.phase() == Phase::Ready && now.state.route.epoch == 3
        }),
        Property::sometimes("a successor commits", |_, now: &Moment| {
            now.committers.first().is_some_and(|by| now.fencers.last() != Some(by))
        }),
    ]
}

/// The world in which everybody does what the protocol says.
pub fn whole() -> World {
    World {
        gateways: 2,
        coordinators: 2,
        writes: 2,
        expirations: 1,
        crashes: 1,
        epochs: 5,
        shortcut: None::<Shortcut>,
    }
}
