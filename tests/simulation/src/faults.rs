//! What goes wrong in a run, and where the switch is to end. All of it follows from the seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::network::{Condition, Place};

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The target serves.
    Commit,
    /// The target serves for good.
    Finalize,
    /// The source serves again.
    Back,
    /// It is given up on the way, and made once more.
    Again,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A node ends without a warning, and is started again so much later.
    Crash { node: usize, time: u64 },
    /// A node stands still for so long.
    Freeze { node: usize, time: u64 },
    /// A wire is in a bad condition for so long.
    Wire { node: usize, place: Place, condition: Condition, time: u64 },
    /// A node reaches nobody for so long.
    Alone { node: usize, condition: Condition, time: u64 },
    /// A server is down for so long.
    Down { place: Place, time: u64 },
    /// A node's time of day jumps by so much.
    Clock { node: usize, by: i64 },
    /// Somebody gives the switch up.
    Abort,
}

/// When it goes wrong. Times are milliseconds of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(u64),
    /// So long after the stored switch was first seen in this phase.
    Phase(&'static str, u64),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: usize,
    /// Whether the databases can be closed to whoever knows of no route.
    pub fences: bool,
    pub goal: Goal,
    pub faults: Vec<(When, Fault)>,
}

const PHASES: [&str; 9] = [
    "preparing",
    "copying",
    "following",
    "verifying",
    "ready",
    "fencing",
    "committed",
    "fencing_back",
    "rolled_back",
];

impl Plan {
    /// The run of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = random.random_range(2..=3);
        let goal = match random.random_range(0..10) {
            0..5 => Goal::Back,
            5..7 => Goal::Commit,
            7..9 => Goal::Again,
            _ => Goal::Finalize,
        };
        let faults = (0..random.random_range(0..=3)).map(|_| (when(&mut random), fault(&mut random, nodes)));
        let faults = faults.collect();
        Plan { nodes, fences: random.random_range(0..2) == 0, goal, faults }
    }
}

/// How far clocks jump, in milliseconds.
const HOURS: i64 = 7_200_000;

impl Plan {
    /// Nothing goes wrong but clocks, each of which jumps in each phase of both cut-overs.
    #[cfg(test)]
    pub fn only_clocks(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = 2;
        let mut jump = |node, phase| {
            let by = random.random_range(-HOURS..HOURS);
            (When::Phase(phase, random.random_range(0..10)), Fault::Clock { node, by })
        };
        let phases = ["following", "ready", "fencing", "committed", "fencing_back"];
        let faults = phases.iter().flat_map(|phase| (0..nodes).map(move |node| (node, *phase)));
        let faults = faults.map(|(node, phase)| jump(node, phase)).collect();
        Plan { nodes, fences: seed.is_multiple_of(2), goal: Goal::Back, faults }
    }

    /// The only fault: every wire to a server is slow.
    pub fn all_slow(&mut self, place: Place, ms: u64) {
        let condition = Condition::Slow(Duration::from_millis(ms));
        let wire = |node| Fault::Wire { node, place, condition, time: 60_000 };
        self.faults = (0..self.nodes).map(|node| (When::At(500), wire(node))).collect();
    }
}

fn when(random: &mut StdRng) -> When {
    match random.random_range(0..3) {
        0 => When::At(random.random_range(500..12_000)),
        _ => When::Phase(PHASES[random.random_range(0..PHASES.len())], random.random_range(0..40)),
    }
}

fn fault(random: &mut StdRng, nodes: usize) -> Fault {
    let node = random.random_range(0..nodes);
    let time = random.random_range(50..6_000);
    let place = [Place::Control, Place::Main, Place::Cloud][random.random_range(0..3)];
    let condition = match random.random_range(0..4) {
        0 => Condition::Silent,
        1 => Condition::Deaf,
        2 => Condition::Cut,
        _ => Condition::Slow(Duration::from_millis(random.random_range(10..250))),
    };
    match random.random_range(0..12) {
        0..3 => Fault::Crash { node, time },
        3..5 => Fault::Freeze { node, time },
        5..8 => Fault::Wire { node, place, condition, time },
        8 => Fault::Alone { node, condition, time },
        9 => Fault::Down { place, time: time / 2 },
        10 => Fault::Clock { node, by: random.random_range(-HOURS..HOURS) },
        _ => Fault::Abort,
    }
}
