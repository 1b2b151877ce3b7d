//! The steps between a fence and the commit.

use truststream_services::database::Position;

use super::{Act, Event, Phase, Refused, State};

/// One coordinator's way through the cut-over of one epoch. It is not stored: whoever comes after a
/// coordinator begins with the first step, because it can't know which of them were done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CutOver {
    epoch: u64,
    step: Step,
    /// Of one part, not of everything.
    of_part: bool,
}

/// What has to be done next. Each of these out of order is a known way to lose writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Wait until no gateway has a write of an older epoch in flight.
    Drain,
    /// Read where the feed of the side that served ends.
    ReadEnd,
    /// Apply that feed up to there.
    CatchUp {
        /// Its end.
        end: Position,
    },
    /// Note where the changes of the side that will serve begin, while it is not open yet.
    Arm {
        /// The end of the other side's feed.
        end: Position,
    },
    /// Change the route.
    Commit {
        /// The end of the feed of the side that served.
        end: Position,
        /// Where the other side's own changes begin.
        start: Position,
    },
}

/// What was seen of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// All gateways have acknowledged, or their leases have run out.
    Drained,
    /// The end of the feed of the side that served.
    End(Position),
    /// How far that feed is applied.
    Applied(Position),
    /// The end of the other side's feed.
    Armed(Position),
}

impl CutOver {
    /// The first step of the epoch that is fenced.
    ///
    /// # Errors
    /// When writes are not held for a cut-over.
    pub fn begin(state: &State) -> Result<Self, Refused> {
        let phase = state.switch.as_ref().ok_or(Refused::NoSwitch)?.phase;
        let of_part = phase == Phase::Ready && state.fenced_part().is_some();
        let of_all = matches!(phase, Phase::Fencing | Phase::FencingBack) && state.route.fenced;
        if !of_part && !of_all {
            return Err(Refused::Phase { present: phase });
        }
        Ok(CutOver { epoch: state.route.epoch, step: Step::Drain, of_part })
    }

    /// What has to be done next.
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The epoch that is cut over.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The step after one that was done.
    ///
    /// # Errors
    /// When the step was not the next one or is not done yet, or the epoch is over.
    pub fn saw(&self, seen: Seen, state: &State) -> Result<Self, Refused> {
        state.must_be_of(self.epoch)?;
        let step = match (&self.step, seen) {
            (Step::Drain, Seen::Drained) => {
                let gateways = state.unacknowledged();
                if !gateways.is_empty() {
                    return Err(Refused::Unacknowledged { gateways });
                }
                // Whoever acknowledged has told before what it saw.
                state.must_be_untied()?;
                Step::ReadEnd
            }
            (Step::ReadEnd, Seen::End(end)) => Step::CatchUp { end },
            (Step::CatchUp { end }, Seen::Applied(at)) if reaches(&at, end) => Step::Arm { end: end.clone() },
            (Step::Arm { end }, Seen::Armed(start)) => Step::Commit { end: end.clone(), start },
            _ => return Err(Refused::OutOfOrder),
        };
        Ok(CutOver { step, ..self.clone() })
    }

    /// The commit.
    ///
    /// # Errors
    /// When a step is left to be done.
    pub fn commit(&self, term: u64) -> Result<Event, Refused> {
        match &self.step {
            Step::Commit { end, start } => {
                let (epoch, end, start) = (self.epoch, end.clone(), start.clone());
                let act = if self.of_part {
                    Act::MovePart { epoch, end, start }
                } else {
                    Act::HandOver { epoch, end, start }
                };
                Ok(Event::Act { term, act })
            }
            _ => Err(Refused::OutOfOrder),
        }
    }
}

/// Whether everything that `end` covers is covered by `at`, a position of the same feed.
pub fn reaches(at: &Position, end: &Position) -> bool {
    match (at, end) {
        (Position::Sequence(at), Position::Sequence(end)) => at >= end,
        (
            Position::Snapshot { high, running, .. },
            Position::Snapshot { high: end_high, running: end_running, .. },
        ) => {
            let not_covered_there =
                |transaction: &u64| transaction >= end_high || end_running.contains(transaction);
            (*high..*end_high)
                .chain(running.iter().copied())
                .all(|transaction| not_covered_there(&transaction))
        }
        (Position::Routed { epoch, at }, Position::Routed { epoch: end_epoch, at: end }) => {
            epoch == end_epoch && reaches(at, end)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(low: u64, high: u64, running: &[u64]) -> Position {
        Position::Snapshot { low, high, running: running.to_vec() }
    }

    #[test]
    fn a_snapshot_reaches_another_only_if_it_lacks_nothing_of_it() {
        let end = snapshot(10, 20, &[10, 15]);
        assert!(reaches(&end, &end));
        assert!(reaches(&snapshot(25, 25, &[]), &end));
        assert!(reaches(&snapshot(10, 30, &[10, 25]), &end));
        assert!(!reaches(&snapshot(10, 19, &[10, 15]), &end), "19 is covered there and not here");
        assert!(!reaches(&snapshot(10, 30, &[12]), &end), "12 runs here and is covered there");
        assert!(!reaches(&Position::Sequence(99), &end));
    }
}
