//! Mistakes made on purpose, each of which must be found.

use std::time::Duration;

use super::faults::{Fault, Goal, Plan, When};
use super::network::{Condition, Place};

/// The mistake that shows only in chunks which come late.
const COPY: &str = "unguarded-copy";

/// The mistake that shows only where the target is emptied late.
const PREPARE: &str = "unguarded-prepare";

/// Longer than it takes until somebody else leads.
const LONG: Duration = Duration::from_millis(2_700);

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
        let mutations = ["drop-change", "apply-twice", "end-before-drain", "late-reverse", COPY, PREPARE];
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
    pub fn shapes(self, plan: &mut Plan, seed: u64) {
        plan.fences = false;
        if plan.goal == Goal::Commit || self == Flaw::Mutation("late-reverse") {
            plan.goal = Goal::Back;
        }
        match self {
            Flaw::Mutation(COPY) => {
                let moment = ("copying", 20 + seed * 7 % 100, 30);
                plan.faults = late(plan.nodes, Condition::Slow(LONG), moment);
            }
            Flaw::Mutation(PREPARE) => {
                // The source has all that the target is lacking then.
                plan.goal = Goal::Commit;
                let condition = Condition::SlowToPrepare(LONG);
                plan.faults = late(plan.nodes, condition, ("preparing", 0, 60));
            }
            Flaw::Mutation(_) | Flaw::Ungated => plan.faults.clear(),
            // What one node has sent arrives when it is no longer one of them.
            Flaw::UnboundedInFlight => {
                let slow = Condition::Slow(LONG);
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

/// What is sent to the target for a moment of a phase arrives long after everybody has ended and begun
/// again. The moment begins so long after the phase, and lasts so long.
fn late(
    nodes: usize,
    condition: Condition,
    (phase, after, time): (&'static str, u64, u64),
) -> Vec<(When, Fault)> {
    let late = |node| Fault::Wire { node, place: Place::Cloud, condition, time };
    let each = |fault: &dyn Fn(usize) -> Fault, after| -> Vec<_> {
        (0..nodes).map(|node| (When::Phase(phase, after), fault(node))).collect()
    };
    [each(&late, after), each(&|node| Fault::Crash { node, time: 300 }, after + time)].concat()
}
