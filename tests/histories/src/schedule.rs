//! What happens in a run: where the switch is to end, and what goes wrong on the way. All of it
//! follows from the seed.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The target serves.
    Commit,
    /// The target has served, and the source serves again.
    Back,
    /// Given up on the way: the source has served all the time.
    Abort,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// The gateway is killed and started again.
    KillGateway,
    /// The gateway stands still for this long.
    Freeze(Duration),
    /// The target's server crashes and comes up again.
    CrashTarget,
    /// The source's server crashes and comes up again.
    CrashSource,
    /// Who asked for the switch goes away before it is done.
    CallerGone,
}

/// When it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So long after the switch was asked for.
    After(Duration),
    /// As soon as it is seen in this phase.
    Phase(&'static str),
    /// While it goes back, so long after that was asked for.
    GoingBack(Duration),
}

/// A run.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub goal: Goal,
    pub fault: Fault,
    pub moment: Moment,
}

impl Schedule {
    /// Nothing goes wrong, and both sides are looked at.
    pub const THERE_AND_BACK: Schedule =
        Schedule { goal: Goal::Back, fault: Fault::Nothing, moment: Moment::After(Duration::ZERO) };

    /// The run of a seed; without `faults` nothing goes wrong.
    pub fn of(seed: u64, faults: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let goal = match random.random_range(0..10) {
            0..2 => Goal::Abort,
            2..4 => Goal::Commit,
            _ => Goal::Back,
        };
        let moment = match random.random_range(0..10) {
            0..4 => Moment::After(Duration::from_millis(random.random_range(0..2_500))),
            4 => Moment::Phase("copying"),
            5 => Moment::Phase("following"),
            6 => Moment::Phase("verifying"),
            7 => Moment::Phase("committed"),
            _ if goal == Goal::Back => Moment::GoingBack(Duration::from_millis(random.random_range(0..150))),
            _ => Moment::After(Duration::from_millis(random.random_range(0..500))),
        };
        let fault = match random.random_range(0..12) {
            _ if !faults => Fault::Nothing,
            0 => Fault::Nothing,
            1..5 => Fault::KillGateway,
            5..7 => Fault::Freeze(Duration::from_millis(random.random_range(200..3_000))),
            7..9 => Fault::CrashTarget,
            9..11 => Fault::CrashSource,
            _ => Fault::CallerGone,
        };
        Schedule { goal, fault, moment }
    }

    /// Whether clients may see requests fail in this run: only while a server is down.
    pub fn may_fail(&self) -> bool {
        matches!(self.fault, Fault::KillGateway | Fault::CrashTarget | Fault::CrashSource)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goal = format!("{:?}", self.goal).to_lowercase();
        let fault = match self.fault {
            Fault::Nothing => return write!(f, "{goal}"),
            Fault::KillGateway => "gateway killed".to_owned(),
            Fault::Freeze(time) => format!("gateway frozen {} ms", time.as_millis()),
            Fault::CrashTarget => "target crashed".to_owned(),
            Fault::CrashSource => "source crashed".to_owned(),
            Fault::CallerGone => "caller gone".to_owned(),
        };
        match self.moment {
            Moment::After(time) => write!(f, "{goal}, {fault} after {} ms", time.as_millis()),
            Moment::Phase(phase) => write!(f, "{goal}, {fault} while {phase}"),
            Moment::GoingBack(time) => write!(f, "{goal}, {fault} {} ms into the way back", time.as_millis()),
        }
    }
}
