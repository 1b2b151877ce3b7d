//! Mistakes made on purpose, each of which must be found.

use std::time::Duration;

use super::faults::{Fault, Goal, Plan, When};
use super::network::{Condition, Place};

/// A mistake made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// One of the crate's own.
    Mutation(&'static str),
    /// A write may outlive the lease that it was admitted under.
    UnboundedInFlight,
    /// Writes pass a fence.
    Ungated,
    /// What is stored is written without looking what was there.
    BlindControl,
    /// A target applies again what it has applied.
    UnguardedApplier,
}

impl Flaw {
    /// The mistake of a name.
    ///
    /// # Errors
    /// The names there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let mutations = ["drop-change", "apply-twice", "end-before-drain", "late-reverse"];
        let own = [
            ("unbounded-in-flight", Flaw::UnboundedInFlight),
            ("ungated", Flaw::Ungated),
            ("blind-control", Flaw::BlindControl),
            ("unguarded-applier", Flaw::UnguardedApplier),
        ];
        let all = own.into_iter().chain(mutations.map(|name| (name, Flaw::Mutation(name))));
        let known: Vec<_> = all.collect();
        let found = known.iter().find(|(known, _)| *known == name).map(|(_, flaw)| *flaw);
        found.ok_or_else(|| known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
    }

    /// Runs in which the mistake can show.
    pub fn shapes(self, plan: &mut Plan) {
        plan.fences = false;
        if plan.goal == Goal::Commit || self == Flaw::Mutation("late-reverse") {
            plan.goal = Goal::Back;
        }
        match self {
            Flaw::Mutation(_) | Flaw::Ungated => plan.faults.clear(),
            // What one node has sent arrives when it is no longer one of them.
            Flaw::UnboundedInFlight => {
                let slow = Condition::Slow(Duration::from_millis(2_700));
                let wire = |place, condition| Fault::Wire { node: 1, place, condition, time: 9_000 };
                let bad = [wire(Place::Main, slow), wire(Place::Control, Condition::Cut)];
                plan.faults = bad.map(|fault| (When::Phase("following", 0), fault)).to_vec();
            }
            // Everybody's look and write are far apart.
            Flaw::BlindControl => plan.all_slow(Place::Control, 60),
            Flaw::UnguardedApplier => {}
        }
    }

    pub fn mutation(self) -> Option<&'static str> {
        match self {
            Flaw::Mutation(name) => Some(name),
            _ => None,
        }
    }
}
