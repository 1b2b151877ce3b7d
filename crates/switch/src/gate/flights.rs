//! Writes in flight, by what they may touch.

use super::Touch;
use crate::Route;
use crate::machine::Division;

/// Sets of parts remembered at most: applications have so many kinds of requests.
const REMEMBERED: usize = 1000;

/// What is in flight under the division in force, and under those before.
#[derive(Default)]
pub(super) struct Flights {
    /// Grows with every other division.
    division: u64,
    counts: Vec<(Touch, usize)>,
    /// Admitted under another division: these may touch everything.
    before: usize,
    together: Vec<Touch>,
}

/// One write in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    touch: Touch,
    division: u64,
}

impl Flights {
    pub(super) fn begin(&mut self, touch: Touch) -> Flight {
        match self.counts.iter_mut().find(|(counted, _)| *counted == touch) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((touch, 1)),
        }
        Flight { touch, division: self.division }
    }

    pub(super) fn end(&mut self, flight: Flight) {
        if flight.division != self.division {
            self.before -= 1;
        } else if let Some((_, count)) = self.counts.iter_mut().find(|(touch, _)| *touch == flight.touch) {
            *count -= 1;
        }
    }

    /// Whether nothing in flight may touch any of these parts.
    pub(super) fn is_free(&self, parts: Touch) -> bool {
        self.before == 0 && self.counts.iter().all(|(touch, count)| *count == 0 || !touch.meets(parts))
    }

    /// Another route comes into force.
    pub(super) fn see(&mut self, present: &Route, next: &Route) {
        let alike = match (&present.division, &next.division) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_alike(other),
            _ => false,
        };
        if !alike {
            self.division += 1;
            self.before += self.counts.drain(..).map(|(_, count)| count).sum::<usize>();
            self.together.clear();
        }
    }

    /// Remembers what is touched together.
    pub(super) fn note(&mut self, touch: Touch) {
        if touch != Touch::ALL && !self.together.contains(&touch) && self.together.len() < REMEMBERED {
            self.together.push(touch);
        }
    }

    /// What was touched together, by the places of the parts; the rest is `None`.
    pub(super) fn together(&self, division: &Division) -> Vec<Vec<Option<usize>>> {
        let places = |touch: &Touch| {
            let rest = touch.meets(Touch::REST).then_some(None);
            rest.into_iter().chain(touch.places(division).into_iter().map(Some)).collect()
        };
        self.together.iter().map(places).collect()
    }
}
