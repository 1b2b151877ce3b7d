//! What is stored of a project's route and switch, and how it changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use truststream_services::database::Position;

use super::{Act, Hold, Lease, Phase, Refused, Route, Standby, Still, Tie};

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
    /// The mirror of the backend that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Standby>,
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
    /// Where the target's feed stood before it served the first part: the way back begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armed: Option<Position>,
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
    /// As [`Strategy::BlueGreen`], part by part: reads of a part are compared on both sides, a growing
    /// share of them is answered by the target, then its writes move.
    Gradual,
}

/// A process that admits writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gateway {
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// Grows with every renewal of its lease. When it has stood still for as long as leases last,
    /// the gateway admits nothing any more and has nothing in flight.
    #[serde(default)]
    pub beat: u64,
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
        /// The lease of another that it has seen run out.
        still: Option<Still>,
    },
    /// A gateway comes, with nothing in flight. Whoever was away comes back under a new name.
    Join {
        /// Its name.
        gateway: String,
        /// What people call it.
        label: String,
    },
    /// A gateway goes on admitting writes under a route that it has in force.
    Renew {
        /// Its name.
        gateway: String,
        /// The epoch it has in force.
        epoch: u64,
    },
    /// A gateway has a fence in force and nothing in flight.
    Acknowledge {
        /// Its name.
        gateway: String,
        /// The epoch of the fence.
        epoch: u64,
    },
    /// A gateway tells which parts it has seen touched together.
    Together {
        /// The epoch whose parts these are.
        epoch: u64,
        /// What it saw.
        ties: Vec<Tie>,
    },
    /// A gateway ends, with nothing in flight; if it leads, nobody does then.
    Leave {
        /// Its name.
        gateway: String,
    },
    /// A gateway is struck off: its lease has run out, or the side it would write to refuses what
    /// was admitted before the present epoch.
    Expel {
        /// Its name.
        gateway: String,
        /// Its beat, as it was seen to stand still.
        beat: u64,
    },
    /// A fence that was seen to stand for as long as it is to is lifted, by whoever saw it.
    Expire {
        /// Its epoch.
        epoch: u64,
        /// How long it was to stand, as it was seen.
        hold: Option<Hold>,
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
        State { route, switch: None, standby: None, coordinator: Lease::default(), gateways: BTreeMap::new() }
    }

    /// The state after an event.
    ///
    /// # Errors
    /// Why the event does not apply to this state.
    pub fn apply(&self, event: &Event) -> Result<State, Refused> {
        let mut next = self.clone();
        match event {
            Event::Alone { node } => next.be_alone(node),
            Event::Lead { node, still } => next.lead(node, *still)?,
            Event::Join { gateway, label } => next.join(gateway, label)?,
            Event::Renew { gateway, epoch } => next.renew(gateway, *epoch)?,
            Event::Acknowledge { gateway, epoch } => next.acknowledge(gateway, *epoch)?,
            Event::Together { epoch, ties } => next.touched_together(*epoch, ties)?,
            Event::Leave { gateway } => next.leave(gateway),
            Event::Expel { gateway, beat } => next.expel(gateway, *beat)?,
            Event::Expire { epoch, hold } => next.expire(*epoch, *hold)?,
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
    pub fn unacknowledged(&self) -> Vec<String> {
        let behind = |gateway: &Gateway| gateway.acknowledged != self.route.epoch;
        self.gateways.iter().filter(|(_, gateway)| behind(gateway)).map(|(name, _)| name.clone()).collect()
    }

    fn be_alone(&mut self, node: &str) {
        self.coordinator = self.coordinator.pass_to(node);
        let gateway = Gateway { acknowledged: self.route.epoch, ..Gateway::default() };
        self.gateways = BTreeMap::from([(node.to_owned(), gateway)]);
    }

    fn lead(&mut self, node: &str, still: Option<Still>) -> Result<(), Refused> {
        if self.coordinator.holder == node {
            self.coordinator.beat += 1;
        } else if self.coordinator.is_free(still) {
            self.coordinator = self.coordinator.pass_to(node);
        } else {
            return Err(Refused::LeaseHeld { holder: self.coordinator.holder.clone() });
        }
        Ok(())
    }

    fn join(&mut self, gateway: &str, label: &str) -> Result<(), Refused> {
        if self.gateways.contains_key(gateway) {
            return Err(Refused::LeaseHeld { holder: gateway.to_owned() });
        }
        let joined = Gateway { label: label.to_owned(), beat: 0, acknowledged: self.route.epoch };
        self.gateways.insert(gateway.to_owned(), joined);
        Ok(())
    }

    fn renew(&mut self, gateway: &str, epoch: u64) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.gateways.get_mut(gateway).ok_or(Refused::LeaseLost)?.beat += 1;
        Ok(())
    }

    fn leave(&mut self, gateway: &str) {
        self.gateways.remove(gateway);
        if self.coordinator.holder == gateway {
            self.coordinator = self.coordinator.pass_to("");
        }
    }

    fn expel(&mut self, gateway: &str, beat: u64) -> Result<(), Refused> {
        match self.gateways.get(gateway) {
            Some(present) if present.beat == beat => {
                self.leave(gateway);
                Ok(())
            }
            _ => Err(Refused::LeaseHeld { holder: gateway.to_owned() }),
        }
    }

    fn acknowledge(&mut self, gateway: &str, epoch: u64) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.gateways.get_mut(gateway).ok_or(Refused::LeaseLost)?.acknowledged = epoch;
        Ok(())
    }

    fn expire(&mut self, epoch: u64, hold: Option<Hold>) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        if self.route.hold == hold { self.lift() } else { Err(Refused::Extended) }
    }

    pub(super) fn must_be_of(&self, epoch: u64) -> Result<(), Refused> {
        if self.route.epoch == epoch { Ok(()) } else { Err(Refused::Stale { present: self.route.epoch }) }
    }

    /// Admits writes on the same side again; the switch is where it was before the fence.
    pub(super) fn lift(&mut self) -> Result<(), Refused> {
        if !self.route.is_held() {
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
    use std::time::Duration;

    use super::*;

    fn join(gateway: &str) -> Event {
        Event::Join { gateway: gateway.to_owned(), label: String::new() }
    }

    fn joined() -> State {
        State::first(Route::first("main")).apply(&join("g")).unwrap()
    }

    fn renew(epoch: u64) -> Event {
        Event::Renew { gateway: "g".to_owned(), epoch }
    }

    fn expel(beat: u64) -> Event {
        Event::Expel { gateway: "g".to_owned(), beat }
    }

    #[test]
    fn only_a_lease_that_stands_still_ends() {
        let state = joined().apply(&renew(1)).unwrap();
        assert_eq!(state.apply(&renew(0)).unwrap_err(), Refused::Stale { present: 1 });
        assert!(matches!(state.apply(&expel(0)).unwrap_err(), Refused::LeaseHeld { .. }));
        let state = state.apply(&expel(1)).unwrap();
        assert_eq!(state.apply(&renew(1)).unwrap_err(), Refused::LeaseLost);
    }

    #[test]
    fn a_gateway_that_is_back_has_nothing_in_flight() {
        let state = joined();
        assert!(matches!(state.apply(&join("g")).unwrap_err(), Refused::LeaseHeld { .. }));
        let state = state.apply(&expel(0)).unwrap().apply(&join("h")).unwrap();
        assert_eq!(state.unacknowledged(), Vec::<String>::new());
    }

    #[test]
    fn who_leads_is_followed_only_once_its_lease_ran_out() {
        let lead = |node: &str, still| Event::Lead { node: node.to_owned(), still };
        let state = joined().apply(&lead("a", None)).unwrap().apply(&lead("a", None)).unwrap();
        assert_eq!((state.coordinator.term, state.coordinator.beat), (1, 1));
        let early = Some(Still { term: 1, beat: 0 });
        assert_eq!(
            state.apply(&lead("b", early)).unwrap_err(),
            Refused::LeaseHeld { holder: "a".to_owned() }
        );
        let state = state.apply(&lead("b", Some(Still { term: 1, beat: 1 }))).unwrap();
        let late = Event::Act { term: 1, act: Act::GiveUp };
        assert_eq!(state.apply(&late).unwrap_err(), Refused::NotLeading);
    }

    #[test]
    fn a_gateway_that_is_struck_off_does_not_lead() {
        let lead = Event::Lead { node: "g".to_owned(), still: None };
        let state = joined().apply(&lead).unwrap().apply(&expel(0)).unwrap();
        let act = Event::Act { term: 1, act: Act::GiveUp };
        assert_eq!(state.apply(&act).unwrap_err(), Refused::NotLeading);
    }

    #[test]
    fn what_was_stored_without_a_switch_is_read() {
        let stored = r#"{"epoch":3,"reign":3,"owner":"cloud","fenced":false,"handover":null}"#;
        let state: State = serde_json::from_str(stored).unwrap();
        assert_eq!((state.route.owner.as_str(), state.switch), ("cloud", None));
    }

    fn expire(state: &State) -> Event {
        Event::Expire { epoch: state.route.epoch, hold: state.route.hold }
    }

    #[test]
    fn a_fence_that_was_extended_is_not_lifted_by_who_counted_before() {
        let hold = Hold::of(Duration::from_secs(1));
        let mut state = State::first(Route::first("main"));
        state.route = state.route.fence(hold);
        let seen = expire(&state);
        let extend = Act::Extend { epoch: state.route.epoch, hold };
        let state = state.apply(&Event::Act { term: 0, act: extend }).unwrap();
        assert_eq!(state.apply(&seen).unwrap_err(), Refused::Extended);
        let lifted = state.apply(&expire(&state)).unwrap();
        assert_eq!((lifted.route.is_held(), lifted.route.hold), (false, None));
        assert!(lifted.apply(&expire(&lifted)).is_err(), "there is no fence");
    }

    #[test]
    fn a_fence_of_the_earlier_form_stands_for_a_while_and_is_lifted() {
        let stored =
            r#"{"epoch":3,"reign":1,"owner":"main","fenced":true,"deadline":1732000000000,"handover":null}"#;
        let state: State = serde_json::from_str(stored).unwrap();
        assert!(state.route.fenced && Hold::length(state.route.hold) > Duration::ZERO);
        assert!(!state.apply(&expire(&state)).unwrap().route.fenced);
    }
}
