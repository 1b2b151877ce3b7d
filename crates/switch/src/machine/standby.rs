//! A backend that is kept in sync with the one that serves, and takes its place when that is lost.

use serde::{Deserialize, Serialize};
use truststream_services::database::Position;

use super::{Division, Hold, Phase, Refused, State};

/// The mirror of the backend that serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standby {
    /// Its number.
    pub id: u64,
    /// The backend that follows.
    pub to: String,
    /// The reign of the one that it follows.
    pub reign: u64,
    /// Whether the two have been compared in this reign.
    pub verified: bool,
}

impl State {
    /// The mirror, if it may take the place of the backend that serves.
    pub fn fit_standby(&self) -> Option<&Standby> {
        self.standby.as_ref().filter(|standby| standby.verified && standby.reign == self.route.reign)
    }

    pub(super) fn stand_by(&mut self, id: u64, to: &str) -> Result<(), Refused> {
        if self.route.owner == to {
            return Err(Refused::NoSwitch);
        }
        if let Some(stage) = self.switch.as_ref().filter(|stage| !stage.phase.is_over())
            && (stage.from == to || stage.to == to)
        {
            return Err(Refused::NotOver);
        }
        let reign = self.route.reign;
        self.standby = Some(Standby { id, to: to.to_owned(), reign, verified: false });
        Ok(())
    }

    pub(super) fn stand_by_verified(&mut self, id: u64) -> Result<(), Refused> {
        let reign = self.route.reign;
        let standby = self.standby.as_mut().filter(|standby| standby.id == id && standby.reign == reign);
        standby.ok_or(Refused::NoSwitch)?.verified = true;
        Ok(())
    }

    pub(super) fn stand_down(&mut self, id: u64) {
        if self.standby.as_ref().is_some_and(|standby| standby.id == id) {
            self.standby = None;
        }
    }

    /// Holds writes of a backend that is lost, without any phase of a switch.
    pub(super) fn fence_lost(&mut self, epoch: u64, hold: Hold) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.may_fail_over()?;
        self.route = self.route.fence(hold);
        Ok(())
    }

    /// The mirror serves. What the lost backend acknowledged after `end` is not in it.
    pub(super) fn fail_over(&mut self, epoch: u64, end: Position, start: Position) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        self.may_fail_over()?;
        if !self.route.fenced {
            return Err(Refused::OutOfOrder);
        }
        let gateways = self.unacknowledged();
        if !gateways.is_empty() {
            return Err(Refused::Unacknowledged { gateways });
        }
        let standby = self.standby.take().ok_or(Refused::NotVerified)?;
        // A switch away from the lost backend has lost its source.
        if let Some(stage) = self.switch.as_mut().filter(|stage| stage.phase.is_before_commit()) {
            stage.phase = Phase::Aborting;
            stage.verified = false;
        }
        self.route = self.route.hand_over(standby.to, end, start);
        if let Some(handover) = &mut self.route.handover {
            handover.lost = true;
        }
        Ok(())
    }

    /// Only to a side that was compared (I5), and never in the middle of a cut-over or while a
    /// committed switch keeps its way back, which leads to the lost backend's other side.
    fn may_fail_over(&self) -> Result<(), Refused> {
        self.fit_standby().ok_or(Refused::NotVerified)?;
        // What the other side serves is not on the mirror yet.
        if self.route.division.as_ref().is_some_and(Division::has_moved) {
            return Err(Refused::PartsMoved);
        }
        match self.switch.as_ref().map(|stage| stage.phase) {
            None => Ok(()),
            Some(phase) if phase.is_over() || phase == Phase::Aborting => Ok(()),
            Some(phase) if phase.is_before_commit() && phase != Phase::Fencing => Ok(()),
            Some(present) => Err(Refused::Phase { present }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Route;
    use crate::machine::{Act, Event, Strategy};

    fn state() -> State {
        State::first(Route::first("main")).apply(&Event::Alone { node: "g".into() }).unwrap()
    }

    fn act(state: &State, act: Act) -> Result<State, Refused> {
        state.apply(&Event::Act { term: state.coordinator.term, act })
    }

    fn fail_over(state: &State) -> Result<State, Refused> {
        let epoch = state.route.epoch;
        act(state, Act::FailOver { epoch, end: Position::Sequence(7), start: Position::Sequence(1) })
    }

    fn following() -> State {
        let state = act(&state(), Act::StandBy { id: 1, to: "spare".into() }).unwrap();
        act(&state, Act::StandByVerified { id: 1 }).unwrap()
    }

    fn fenced(state: &State) -> Result<State, Refused> {
        act(state, Act::FenceLost { epoch: state.route.epoch, hold: Hold::of(Duration::MAX) })
    }

    fn acknowledged(state: &State) -> State {
        state.apply(&Event::Acknowledge { gateway: "g".into(), epoch: state.route.epoch }).unwrap()
    }

    #[test]
    fn a_mirror_takes_over_in_an_epoch_of_its_own() {
        let state = following();
        let fenced = fenced(&state).unwrap();
        assert_eq!(fail_over(&fenced).unwrap_err(), Refused::Unacknowledged { gateways: vec!["g".into()] });
        let after = fail_over(&acknowledged(&fenced)).unwrap();
        assert_eq!((after.route.owner.as_str(), after.route.fenced), ("spare", false));
        assert_eq!((after.route.epoch, after.standby), (state.route.epoch + 2, None));
        let handover = after.route.handover.unwrap();
        assert_eq!(
            (handover.from.as_str(), handover.end, handover.lost),
            ("main", Position::Sequence(7), true)
        );
    }

    #[test]
    fn one_that_was_not_compared_in_this_reign_never_serves() {
        let unverified = act(&state(), Act::StandBy { id: 1, to: "spare".into() }).unwrap();
        assert_eq!(fenced(&unverified).unwrap_err(), Refused::NotVerified);
        assert_eq!(act(&unverified, Act::StandByVerified { id: 2 }).unwrap_err(), Refused::NoSwitch);
        let mut later = following();
        later.route = later.route.hand_over("other", Position::Sequence(1), Position::Sequence(1));
        assert_eq!(fenced(&later).unwrap_err(), Refused::NotVerified);
        let down = act(&following(), Act::StandDown { id: 1 }).unwrap();
        assert_eq!(fenced(&down).unwrap_err(), Refused::NotVerified);
    }

    #[test]
    fn without_a_fence_nobody_takes_over() {
        assert_eq!(fail_over(&following()).unwrap_err(), Refused::OutOfOrder);
    }

    #[test]
    fn a_switch_on_its_way_is_given_up_and_a_committed_one_is_in_the_way() {
        let plan = Act::Plan { id: 1, to: "cloud".into(), strategy: Strategy::default(), must_verify: false };
        let planned = act(&following(), plan).unwrap();
        let fenced_then = acknowledged(&fenced(&planned).unwrap());
        assert_eq!(fail_over(&fenced_then).unwrap().switch.unwrap().phase, Phase::Aborting);
        let mut committed = planned;
        committed.switch.as_mut().unwrap().phase = Phase::Committed;
        assert_eq!(fenced(&committed).unwrap_err(), Refused::Phase { present: Phase::Committed });
        let busy = act(&committed, Act::StandBy { id: 2, to: "cloud".into() });
        assert_eq!(busy.unwrap_err(), Refused::NotOver);
    }
}
