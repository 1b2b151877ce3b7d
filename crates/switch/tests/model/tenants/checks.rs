//! What must hold at every moment, what must be possible, and where shortcuts lead.

use stateright::Property;

use super::world::{ALL, Entry, Moment, is_held, owner};
use super::{Shortcut, World};
use crate::model::search::{LARGE, agree, is_once, search, shortcuts};

fn ids(log: &[Entry], whose: usize) -> Vec<u8> {
    log.iter().filter(|entry| entry.whose == whose).map(|entry| entry.id).collect()
}

/// Whoever is open for somebody's writes has all of them that were acknowledged.
fn nothing_is_lost(now: &Moment) -> bool {
    ALL.into_iter().all(|whose| {
        let open = ids(&now.logs[owner(&now.state.route, whose)], whose);
        is_held(&now.state.route, whose) || now.acknowledged[whose].iter().all(|id| open.contains(id))
    })
}

fn nothing_is_twice(now: &Moment) -> bool {
    now.logs.iter().all(|log| is_once(log.iter().map(|entry| entry.id).collect()))
}

fn orders_agree(now: &Moment) -> bool {
    ALL.into_iter().all(|whose| {
        let [here, there] = [0, 1].map(|side| ids(&now.logs[side], whose));
        agree(&here, &there)
    })
}

fn owners(now: &Moment) -> [usize; 3] {
    ALL.map(|whose| owner(&now.state.route, whose))
}

fn written_there(now: &Moment, whose: usize) -> bool {
    now.logs[1].iter().any(|entry| entry.whose == whose && !entry.applied)
}

pub fn properties() -> Vec<Property<World>> {
    vec![
        Property::always("I1", |_, now: &Moment| nothing_is_lost(now)),
        Property::always("I2", |_, now: &Moment| nothing_is_twice(now)),
        Property::always("I3", |_, now: &Moment| orders_agree(now)),
        Property::always("I4", |_, now: &Moment| !now.two_owners),
        Property::always("I5", |_, now: &Moment| !now.unverified),
        Property::sometimes("both tenants there, with a write", |_, now: &Moment| {
            owners(now) == [1, 1, 0] && written_there(now, 0)
        }),
        Property::sometimes("one back with a write, the other there", |_, now: &Moment| {
            owners(now) == [0, 1, 0] && written_there(now, 0)
        }),
        Property::sometimes("written while a tenant is held", |_, now: &Moment| {
            is_held(&now.state.route, 0) && now.acknowledged[1].len() + now.acknowledged[2].len() > 1
        }),
        Property::sometimes("what says nothing is refused", |_, now: &Moment| now.refused),
    ]
}

fn small() -> World {
    World { gateways: 1, writes: 2, epochs: 9, lifts: 0, shortcut: None }
}

#[test]
fn tenants_lose_double_and_reorder_nothing() {
    search(small()).holds();
    if std::env::var_os(LARGE).is_some() {
        search(World { gateways: 2, lifts: 1, ..small() }).holds();
        search(World { writes: 3, ..small() }).holds();
    }
}

shortcuts! {
    what_was_admitted_before_a_tenant_was_named: ForgottenBeforeNaming in small();
    a_write_that_reaches_others_than_it_says: TakenAtItsWord in small();
    a_write_to_all_sent_to_the_owner: SentToTheOwner in small();
}
