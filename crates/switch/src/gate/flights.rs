//! Writes in flight, by what they may touch.

use super::Touch;
use crate::Route;
use crate::machine::{Division, Part, Tie};

/// What is in flight under the division in force, and under those before.
#[derive(Default)]
pub(super) struct Flights {
    /// Grows with every other division.
    division: u64,
    counts: Vec<(Touch, usize)>,
    /// Admitted under another division: these may touch everything.
    before: usize,
    /// What is touched together; what has a part in common is one.
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
            for touch in std::mem::take(&mut self.together) {
                self.join(carried(touch, present, next));
            }
        }
    }

    /// Remembers what was touched together under a route that may be in force no more.
    pub(super) fn note(&mut self, touch: Touch, under: &Route, present: &Route) {
        if touch == Touch::ALL {
            return;
        }
        let is_present = under.epoch == present.epoch;
        self.join(if is_present { touch } else { carried(touch, under, present) });
    }

    fn join(&mut self, touch: Touch) {
        if !touch.is_several() || self.together.iter().any(|known| touch.is_within(*known)) {
            return;
        }
        let (meeting, mut apart): (Vec<_>, Vec<_>) =
            self.together.drain(..).partition(|known| known.meets(touch));
        apart.push(meeting.into_iter().fold(touch, Touch::with));
        self.together = apart;
    }

    /// What was touched together.
    pub(super) fn together(&self, division: &Division) -> Vec<Tie> {
        let places = |touch: &Touch| {
            let rest = touch.meets(Touch::REST).then_some(None);
            rest.into_iter().chain(touch.places(division).into_iter().map(Some)).collect()
        };
        self.together.iter().map(places).collect()
    }
}

/// The same under other parts; what is in none of them is of the rest.
fn carried(touch: Touch, from: &Route, to: &Route) -> Touch {
    let (Some(from), Some(to)) = (&from.division, &to.division) else { return Touch::NONE };
    let place = |part: &Part| {
        let by_name = to.place(&part.name);
        by_name.or_else(|| {
            to.parts.iter().position(|other| part.tables.iter().any(|table| other.tables.contains(table)))
        })
    };
    let rest = if touch.meets(Touch::REST) { Touch::REST } else { Touch::NONE };
    let parts = touch.places(from).into_iter().map(|at| place(&from.parts[at]));
    parts.map(|place| place.map_or(Touch::REST, Touch::part)).fold(rest, Touch::with)
}

#[cfg(test)]
mod tests {
    use truststream_services::database::TableName;

    use super::*;

    fn route(epoch: u64, parts: &[&[&str]]) -> Route {
        let part = |tables: &&[&str]| {
            let tables: Vec<_> = tables.iter().map(|table| TableName::public(*table)).collect();
            Part { name: tables[0].name.clone(), tables, ..Part::default() }
        };
        let parts = parts.iter().map(part).collect();
        let division = Some(Division { to: "t".into(), parts, ..Division::default() });
        Route { epoch, division, ..Route::first("s") }
    }

    #[test]
    fn what_is_touched_together_is_known_by_its_parts_when_they_are_named_anew() {
        let (first, second) = (route(1, &[&["a"], &["b"], &["c"], &["d"]]), route(2, &[&["a", "b"], &["d"]]));
        let [a, b, c, d] = [0, 1, 2, 3].map(Touch::part);
        let mut flights = Flights::default();
        for touch in [a.with(b), b.with(d), Touch::REST.with(c), Touch::ALL, d] {
            flights.note(touch, &first, &first);
        }
        let of = |flights: &Flights, route: &Route| flights.together(route.division.as_ref().unwrap());
        assert_eq!(of(&flights, &first), [vec![Some(0), Some(1), Some(3)], vec![None, Some(2)]]);
        flights.see(&first, &second);
        // It belongs to the rest by now.
        assert_eq!(of(&flights, &second), [[Some(0), Some(1)]]);
        flights.note(c.with(d), &first, &second);
        assert_eq!(of(&flights, &second), [[None, Some(0), Some(1)]]);
    }
}
