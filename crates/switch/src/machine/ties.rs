//! Parts that clients touch together, which two backends must not come to serve.
//!
//! Every gateway notes what it sees, and stores it at the latest with its acknowledgement of a part's
//! fence. So the part moves only if no live gateway has ever admitted a write that touches it and
//! something that stays.

use std::collections::BTreeSet;

use super::{Division, Refused, State};

/// Parts that were touched together, by their places; the rest is `None`.
pub type Tie = Vec<Option<usize>>;

impl Division {
    /// Notes that parts were touched together. Ties that have a part in common are one.
    fn tie(&mut self, tie: &[Option<usize>]) {
        let known = |one: &Option<usize>| one.is_none_or(|place| place < self.parts.len());
        let mut joined: BTreeSet<_> = tie.iter().copied().filter(known).collect();
        let (meeting, mut ties): (Vec<_>, Vec<_>) =
            self.ties.drain(..).partition(|tie: &Tie| tie.iter().any(|one| joined.contains(one)));
        joined.extend(meeting.into_iter().flatten());
        ties.push(joined.into_iter().collect());
        // In one order, so that what is the same is stored alike.
        ties.sort();
        self.ties = ties;
    }

    /// What of a tie the owner of the route serves, if that is more than one part. Tenants are never made
    /// one: what is about several of them is refused while one of them is elsewhere.
    pub(crate) fn staying(&self, tie: &[Option<usize>]) -> Option<Tie> {
        if self.tenancy.is_some() {
            return None;
        }
        let stays = |one: &Option<usize>| {
            one.is_none_or(|place| self.parts.get(place).is_some_and(|part| !part.moved))
        };
        let staying: Tie = tie.iter().copied().filter(stays).collect();
        (staying.len() > 1).then_some(staying)
    }

    /// Whether a part was touched together with something else that the owner of the route serves,
    /// as it does.
    pub fn is_tied(&self, place: usize) -> bool {
        self.ties.iter().filter_map(|tie| self.staying(tie)).any(|tie| tie.contains(&Some(place)))
    }
}

impl State {
    /// A gateway tells what it has seen touched together.
    pub(super) fn touched_together(&mut self, epoch: u64, ties: &[Tie]) -> Result<(), Refused> {
        self.must_be_of(epoch)?;
        if let Some(division) = &mut self.route.division {
            ties.iter().for_each(|tie| division.tie(tie));
        }
        Ok(())
    }

    /// The part whose writes are held, if any, was not touched together with what stays.
    pub(super) fn must_be_untied(&self) -> Result<(), Refused> {
        let is_tied = |division: &Division| division.fenced().is_some_and(|place| division.is_tied(place));
        if self.route.division.as_ref().is_some_and(is_tied) { Err(Refused::Tied) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use truststream_services::database::{Position, TableName};

    use super::*;
    use crate::Route;
    use crate::machine::{Act, Event, Hold, Part, Phase, Strategy};

    fn act(state: &State, act: Act) -> Result<State, Refused> {
        state.apply(&Event::Act { term: 0, act })
    }

    fn part(name: &str) -> Part {
        Part { name: name.into(), tables: vec![TableName::public(name)], ..Part::default() }
    }

    /// A switch that may move any of its parts.
    fn ready() -> State {
        let plan = Act::Plan { id: 1, to: "t".into(), strategy: Strategy::Gradual, must_verify: true };
        let parts = ["a", "b", "c"].map(part).to_vec();
        let acts = [
            plan,
            Act::Enter(Phase::Preparing),
            Act::Divide { parts },
            Act::Enter(Phase::Copying),
            Act::Enter(Phase::Following),
            Act::Enter(Phase::Verifying),
            Act::Verified,
            Act::Enter(Phase::Ready),
        ];
        let first = State::first(Route::first("s"));
        acts.into_iter().fold(first, |state, next| act(&state, next).unwrap())
    }

    fn see(state: &State, ties: &[Tie]) -> State {
        state.apply(&Event::Together { epoch: state.route.epoch, ties: ties.to_vec() }).unwrap()
    }

    fn fence(state: &State, part: &str) -> Result<State, Refused> {
        let (epoch, hold) = (state.route.epoch, Hold::of(Duration::from_secs(1)));
        act(state, Act::FencePart { part: part.into(), epoch, hold })
    }

    fn flip(state: &State) -> Result<State, Refused> {
        let (end, start) = (Position::Sequence(1), Position::Sequence(1));
        act(state, Act::MovePart { epoch: state.route.epoch, end, start })
    }

    fn divide(state: &State, parts: &[Part]) -> Result<State, Refused> {
        act(state, Act::Divide { parts: parts.to_vec() })
    }

    #[test]
    fn what_was_touched_together_moves_together_or_not_at_all() {
        let seen = see(&ready(), &[vec![Some(0), Some(1)]]);
        assert_eq!(fence(&seen, "a").unwrap_err(), Refused::Tied);
        let fenced = fence(&seen, "c").unwrap();
        // It is seen while its writes are held, by a gateway that has yet to acknowledge.
        let late = see(&fenced, &[vec![None, Some(2)]]);
        assert_eq!(flip(&late).unwrap_err(), Refused::Tied);
        assert!(flip(&fenced).unwrap().route.division.unwrap().has_moved());
    }

    #[test]
    fn ties_with_a_part_in_common_are_one() {
        let state = see(&ready(), &[vec![Some(0), Some(1)], vec![None, Some(2)], vec![Some(1), Some(2)]]);
        assert_eq!(state.route.division.unwrap().ties, [[None, Some(0), Some(1), Some(2)]]);
    }

    #[test]
    fn what_has_moved_stays_while_the_others_are_named_anew() {
        let moved = flip(&fence(&ready(), "a").unwrap()).unwrap();
        let both = Part { tables: ["b", "c"].map(TableName::public).to_vec(), ..part("b") };
        assert_eq!(divide(&moved, std::slice::from_ref(&both)).unwrap_err(), Refused::PartsMoved);
        let merged = divide(&see(&moved, &[vec![Some(1), Some(2)]]), &[part("a"), both.clone()]).unwrap();
        let division = merged.route.division.clone().unwrap();
        assert_eq!((division.parts[0].moved, division.parts.len(), division.ties.len()), (true, 2, 0));
        assert!(fence(&merged, "b").is_ok(), "both were compared");
        // One that came back has to be compared before it is one with another.
        let back = flip(&fence(&act(&merged, Act::PartVerified { part: "a".into() }).unwrap(), "a").unwrap());
        assert_eq!(divide(&back.unwrap(), &[both]).unwrap_err(), Refused::NotVerified);
    }

    #[test]
    fn what_was_seen_under_another_route_is_told_again() {
        let state = ready();
        let late = Event::Together { epoch: state.route.epoch - 1, ties: vec![vec![Some(0), Some(1)]] };
        assert!(matches!(state.apply(&late).unwrap_err(), Refused::Stale { .. }));
    }
}
