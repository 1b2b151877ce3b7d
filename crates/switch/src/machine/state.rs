//! What is stored of a project's route and switch, and how it changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Act, Lease, Phase, Refused, Route};

/// Everything that decides who serves and who may change it, in one stored entry: what changes
/// together is changed by one compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// Who serves.
    #[serde(flatten)]
    pub route: Route,
    /// The latest switch.
    #[serde(default)]
    pub switch: Option<Stage>,
    /// Who leads switches.
    #[serde(default)]
    pub coordinator: Lease,
    /// Who admits writes, by the name of the process.
    #[serde(default)]
    pub gateways: BTreeMap<String, Gateway>,
}

/// Where a switch stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stage {
    /// Its number.
    pub id: u64,
    /// The backend that served when it began.
    pub from: String,
    /// The backend to move to.
    pub to: String,
    /// How it is made.
    pub strategy: Strategy,
    /// Whether both sides must be compared before a route points to the other one.
    pub must_verify: bool,
    /// How far it is.
    pub phase: Phase,
    /// Whether they have been compared since the route was changed last.
    pub verified: bool,
    /// Stopped by the operator until resumed.
    pub paused: bool,
}

/// How a switch is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Everything is copied, followed and compared while writes go on; they are held for a moment
    /// at the end.
    #[default]
    BlueGreen,
    /// Writes are held first, then everything is copied and compared: for what is small or stands
    /// still.
    Immediate,
}

/// A process that admits writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gateway {
    /// When its lease runs out, in milliseconds since 1970; it admits nothing from then on and has
    /// nothing in flight.
    pub until: u64,
    /// The latest epoch that it has in force with no write of an older one in flight.
    pub acknowledged: u64,
}

/// Something that happens to the stored state.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The only process there is takes everything: it holds the project's lock, so every other
    /// lease is that of a process that has ended.
    Alone {
        /// That process.
        node: String,
    },
    /// A node takes the coordinator's lease, or keeps the one it has.
    Lead {
        /// The node.
        node: String,
        /// The time.
        now: u64,
        /// Until when.
        until: u64,
    },
    /// A gateway comes, with nothing in flight.
    Join {
        /// Its name.
        gateway: String,
        /// The time.
        now: u64,
        /// Until when it may admit writes.
        until: u64,
    },
    /// A gateway goes on admitting writes under a route that it has in force.
    Renew {
        /// Its name.
        gateway: String,
        /// The epoch it has in force.
        epoch: u64,
        /// The time.
        now: u64,
        /// Until when.
        until: u64,
    },
    /// A gateway has a fence in force and nothing in flight.
    Acknowledge {
        /// Its name.
        gateway: String,
        /// The epoch of the fence.
        epoch: u64,
    },
    /// A fence whose deadline has passed is lifted, by whoever sees it.
    Expire {
        /// Its epoch.
        epoch: u64,
        /// The time.
        now: u64,
    },
    /// What the coordinator of a term does.
    Act {
        /// The coordinator's term.
        term: u64,
        /// What it does.
        act: Act,
    },
}

impl State {
    /// The state of a project whose first backend serves.
    pub fn first(route: Route) -> Self {
        State { route, switch: None, coordinator: Lease::default(), gateways: BTreeMap::new() }
    }

    /// The state after an event.
    ///
    /// # Errors
    /// Why the event does not apply to this state.
    pub fn apply(&self, event: &Event) -> Result<State, Refused> {
        let mut next = self.clone();
        match event {
            Event::Alone { node } => next.be_alone(node),
            Event::Lead { node, now, until } => next.lead(node, *now, *until)?,
            Event::Join { gateway, now, until } => next.join(gateway, *now, *until)?,
            Event::Renew { gateway, epoch, now, until } => next.renew(gateway, *epoch, *now, *until)?,
            Event::Acknowledge { gateway, epoch } => next.acknowledge(gateway, *epoch)?,
            Event::Expire { epoch, now } => next.expire(*epoch, *now)?,
            Event::Act { term, act } => {
                if *term != self.coordinator.term {
                    return Err(Refused::NotLeading);
                }
                next.act(act)?;
            }
        }
        Ok(next)
    }

    /// Gateways that may still have writes of an epoch before the present one in flight.
    pub fn unacknowledged(&self, now: u64) -> Vec<String> {
        let behind = |gateway: &Gateway| now < gateway.until && gateway.acknowledged != self.route.epoch;
        self.gateways.iter().filter(|(_, gateway)| behind(gateway)).map(|(name, _)| name.clone()).collect()
    }

    fn be_alone(&mut self, node: &str) {
        self.coordinator = self.coordinator.pass_to(node, u64::MAX);
        let gateway = Gateway { until: u64::MAX, acknowledged: self.route.epoch };
        self.gateways = BTreeMap::from([(node.to_owned(), gateway)]);
    }

    fn lead(&mut self, node: &str, now: u64, until: u64) -> Result<(), Refused> {
        if self.coordinator.holder == node && self.coordinator.is_live(now) {
            self.coordinator.until = until;
            return Ok(());
        }
        if self.coordinator.is_live(now) {
            return Err(Refused::LeaseHeld { holder: self.coordinator.holder.clone() });
        }
        self.coordinator = self.coordinator.pass_to(node, until);
        Ok(())
    }

    fn join(&mut self, gateway: &str, now: u64, until: u64) -> Result<(), Refused> {
        self.gateways.retain(|_, other| now < other.until);
        if self.gateways.contains_key(gateway) {
            return Err(Refused::LeaseHeld { holder: gateway.to_owned() });
        }
        let acknowledged = self.route.epoch;
        self.gateways.insert(gateway.to_owned(), Gateway { until, acknowledged });
        Ok(())
    }

    fn renew(&mut self, gateway: &str, epoch: u64, now: u64, until: u64) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        let lease = self.gateways.get_mut(gateway).filter(|lease| now < lease.until);
        lease.ok_or(Refused::LeaseLost)?.until = until;
        Ok(())
    }

    fn acknowledge(&mut self, gateway: &str, epoch: u64) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.gateways.get_mut(gateway).ok_or(Refused::LeaseLost)?.acknowledged = epoch;
        Ok(())
    }

    fn expire(&mut self, epoch: u64, now: u64) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        match self.route.deadline {
            Some(deadline) if now < deadline => Err(Refused::NotDue { deadline }),
            _ => self.lift(),
        }
    }

    pub(super) fn must_be_of(&self, epoch: u64) -> Result<(), Refused> {
        if self.route.epoch == epoch { Ok(()) } else { Err(Refused::Stale { present: self.route.epoch }) }
    }

    /// Admits writes on the same side again; the switch is where it was before the fence.
    pub(super) fn lift(&mut self) -> Result<(), Refused> {
        if !self.route.fenced {
            return Err(Refused::Stale { present: self.route.epoch });
        }
        self.route = self.route.lift();
        if let Some(stage) = &mut self.switch {
            stage.phase = match stage.phase {
                Phase::Fencing => Phase::Ready,
                Phase::FencingBack => Phase::Committed,
                other => other,
            };
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined() -> State {
        let state = State::first(Route::first("main"));
        state.apply(&Event::Join { gateway: "g".to_owned(), now: 0, until: 10 }).unwrap()
    }

    fn renew(epoch: u64, now: u64) -> Event {
        Event::Renew { gateway: "g".to_owned(), epoch, now, until: now + 10 }
    }

    #[test]
    fn a_lease_that_ran_out_is_not_renewed() {
        let state = joined().apply(&renew(1, 9)).unwrap();
        assert_eq!(state.gateways["g"].until, 19);
        assert_eq!(state.apply(&renew(1, 19)).unwrap_err(), Refused::LeaseLost);
        assert_eq!(state.apply(&renew(0, 10)).unwrap_err(), Refused::Stale { present: 1 });
    }

    #[test]
    fn a_gateway_that_is_back_has_nothing_in_flight() {
        let state = joined();
        let again = |now| Event::Join { gateway: "g".to_owned(), now, until: now + 10 };
        assert!(matches!(state.apply(&again(9)).unwrap_err(), Refused::LeaseHeld { .. }));
        let state = state.apply(&again(10)).unwrap();
        assert_eq!(state.unacknowledged(11), Vec::<String>::new());
    }

    #[test]
    fn who_leads_is_followed_only_once_its_lease_ran_out() {
        let lead = |node: &str, now| Event::Lead { node: node.to_owned(), now, until: now + 10 };
        let state = joined().apply(&lead("a", 0)).unwrap().apply(&lead("a", 5)).unwrap();
        assert_eq!((state.coordinator.term, state.coordinator.until), (1, 15));
        assert_eq!(state.apply(&lead("b", 14)).unwrap_err(), Refused::LeaseHeld { holder: "a".to_owned() });
        let state = state.apply(&lead("b", 15)).unwrap();
        let late = Event::Act { term: 1, act: Act::GiveUp };
        assert_eq!(state.apply(&late).unwrap_err(), Refused::NotLeading);
    }

    #[test]
    fn what_was_stored_without_a_switch_is_read() {
        let stored = r#"{"epoch":3,"reign":3,"owner":"cloud","fenced":false,"handover":null}"#;
        let state: State = serde_json::from_str(stored).unwrap();
        assert_eq!((state.route.owner.as_str(), state.switch), ("cloud", None));
    }
}
