//! Somebody who follows the change feed in stages, as the stored route tells them.

use truststream_services::database::Position;
use truststream_switch::machine::{Leg, Phase};

use super::world::{Moment, Side};

/// Where a follower of the feed stands, and what it saw of each part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reader {
    /// The stage, counted from the first of the project.
    stage: usize,
    at: [usize; 2],
    pub seen: [Vec<u8>; 2],
}

fn number(position: &Position) -> usize {
    match position {
        Position::Sequence(number) => *number as usize,
        _ => 0,
    }
}

impl Reader {
    /// Reads one entry of a side, or goes on to the next stage where this one has ended.
    pub fn read(&mut self, now: &Moment, side: Side, freely: bool) -> Option<()> {
        // The stored route tells of one reign before the present one.
        if now.phase() == Phase::RolledBack {
            return None;
        }
        let ends = ends(now);
        let end = ends.get(self.stage).copied();
        let length = now.logs[side].len();
        let limit = end.filter(|_| !freely).map_or(length, |end| end[side].min(length));
        if self.at[side] < limit {
            let entry = now.logs[side][self.at[side]];
            self.at[side] += 1;
            if !entry.applied {
                self.seen[entry.part].push(entry.id);
            }
            return Some(());
        }
        let end = end.filter(|end| self.at[0] >= end[0] && self.at[1] >= end[1])?;
        if !freely {
            // What is in no fence goes on meanwhile, and may have been read beyond.
            self.at = [self.at[0].max(end[0]), self.at[1].max(end[1])];
        }
        self.stage += 1;
        Some(())
    }
}

/// Where the stages ended that are over, by side.
fn ends(now: &Moment) -> Vec<[usize; 2]> {
    let route = &now.state.route;
    let of =
        |legs: &[Leg]| legs.iter().map(|leg| [number(&leg.main), number(&leg.other)]).collect::<Vec<_>>();
    match &route.handover {
        None => of(&route.legs),
        Some(handover) => {
            let mut ends = of(&handover.legs);
            let there = handover.from == super::act::NAMES[0];
            let (end, start) = (number(&handover.end), number(&handover.start));
            ends.push(if there { [end, start] } else { [start, end] });
            ends
        }
    }
}
