//! What happens in a run: where the switch is to end, and what goes wrong on the way. All of it
//! follows from the seed, or from the name of a step.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::engine::Engine;
use crate::wire::Condition;

/// Where a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The target serves.
    Commit,
    /// The target serves for good.
    Finalize,
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
    /// The gateway ends by itself at a named step, and is started again.
    EndAt(&'static str),
    /// The gateway stands still for this long.
    Freeze(Duration),
    /// The gateway's time of day jumps by so many seconds.
    Clock(i64),
    /// The target's server crashes and comes up again.
    CrashTarget,
    /// The source's server crashes and comes up again.
    CrashSource,
    /// The wire to the target is in a bad condition for this long.
    TargetWire(Condition, Duration),
    /// The wire to the source is in a bad condition for this long.
    SourceWire(Condition, Duration),
    /// Nothing more fits on the target's disk for this long.
    TargetFull(Duration),
    /// Who asked for the switch goes away before it is done.
    CallerGone,
    /// Somebody gives the switch up at the very moment at which it may commit.
    AbortAtOnce,
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

/// Every named step of `crates/switch/src/failpoint.rs`, on the way to which goal it is reached. After a
/// stroke: the time at which it is reached.
pub const STEPS: &[(&str, Goal)] = &[
    ("emptying", Goal::Commit),
    ("emptied", Goal::Commit),
    ("prepared", Goal::Commit),
    ("captured", Goal::Commit),
    ("sending", Goal::Commit),
    ("chunk", Goal::Commit),
    ("chunk/7", Goal::Back),
    ("stored", Goal::Commit),
    ("copied", Goal::Commit),
    ("objects", Goal::Commit),
    ("batch", Goal::Back),
    ("keys", Goal::Back),
    ("armed", Goal::Back),
    ("compared", Goal::Commit),
    ("ready", Goal::Commit),
    ("fenced", Goal::Back),
    ("drained", Goal::Commit),
    ("end", Goal::Back),
    ("caughtup", Goal::Commit),
    ("identities", Goal::Back),
    ("committed", Goal::Back),
    ("lifted", Goal::Commit),
    ("batch/20", Goal::Back),
    ("fenced/2", Goal::Back),
    ("drained/2", Goal::Back),
    ("end/2", Goal::Back),
    ("caughtup/2", Goal::Back),
    ("identities/2", Goal::Back),
    ("committed/2", Goal::Back),
    ("givingup", Goal::Abort),
    ("discarding", Goal::Abort),
    ("discarded", Goal::Abort),
    ("finalizing", Goal::Finalize),
    ("released", Goal::Finalize),
    ("settled", Goal::Finalize),
];

/// How far clocks jump at most, in seconds: tokens that people have stay good for an hour.
pub const FARTHEST: i64 = 1_800;

impl Schedule {
    /// Nothing goes wrong, and both sides are looked at.
    pub const THERE_AND_BACK: Schedule =
        Schedule { goal: Goal::Back, fault: Fault::Nothing, moment: Moment::After(Duration::ZERO) };

    /// The run in which the gateway ends at a step.
    pub fn ending_at((step, goal): (&'static str, Goal)) -> Self {
        Schedule { goal, fault: Fault::EndAt(step), moment: Moment::After(Duration::ZERO) }
    }

    /// The run of a seed between two engines; without `faults` nothing goes wrong.
    pub fn of(seed: u64, (source, target): (Engine, Engine), faults: bool) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let goal = match random.random_range(0..10) {
            0..2 => Goal::Abort,
            2 => Goal::Finalize,
            3 => Goal::Commit,
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
        let time = Duration::from_millis(random.random_range(200..3_000));
        let condition = match random.random_range(0..4) {
            0 => Condition::Slow(Duration::from_millis(random.random_range(5..60))),
            1 => Condition::Silent,
            2 => Condition::Deaf,
            _ => Condition::Cut,
        };
        let fault = match random.random_range(0..18) {
            _ if !faults => Fault::Nothing,
            0 => Fault::Nothing,
            1..5 => Fault::KillGateway,
            5..7 => Fault::Freeze(time),
            7..9 if target.has_server() => Fault::CrashTarget,
            9..11 if source.has_server() => Fault::CrashSource,
            11..13 if target.has_server() => Fault::TargetWire(condition, time),
            13 if source.has_server() => Fault::SourceWire(condition, time),
            14 => Fault::CallerGone,
            15 => Fault::AbortAtOnce,
            16 if target != Engine::Mongodb => Fault::TargetFull(time),
            17 => Fault::Clock(random.random_range(-FARTHEST..FARTHEST)),
            _ => Fault::KillGateway,
        };
        Schedule { goal, fault, moment }
    }

    /// Whether clients may see requests fail in this run: only while a server is down or out of reach.
    pub fn may_fail(&self) -> bool {
        !matches!(
            self.fault,
            Fault::Nothing | Fault::Freeze(_) | Fault::Clock(_) | Fault::CallerGone | Fault::AbortAtOnce
        )
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goal = format!("{:?}", self.goal).to_lowercase();
        let fault = match self.fault {
            Fault::Nothing => return write!(f, "{goal}"),
            Fault::EndAt(step) => return write!(f, "{goal}, gateway ended at {step}"),
            Fault::KillGateway => "gateway killed".to_owned(),
            Fault::Freeze(time) => format!("gateway frozen {} ms", time.as_millis()),
            Fault::Clock(seconds) => format!("time of day {seconds:+} s"),
            Fault::CrashTarget => "target crashed".to_owned(),
            Fault::CrashSource => "source crashed".to_owned(),
            Fault::TargetWire(condition, time) => {
                format!("wire to the target {condition:?} for {} ms", time.as_millis())
            }
            Fault::SourceWire(condition, time) => {
                format!("wire to the source {condition:?} for {} ms", time.as_millis())
            }
            Fault::TargetFull(time) => format!("target full for {} ms", time.as_millis()),
            Fault::CallerGone => "caller gone".to_owned(),
            Fault::AbortAtOnce => "given up at once".to_owned(),
        };
        match self.moment {
            Moment::After(time) => write!(f, "{goal}, {fault} after {} ms", time.as_millis()),
            Moment::Phase(phase) => write!(f, "{goal}, {fault} while {phase}"),
            Moment::GoingBack(time) => write!(f, "{goal}, {fault} {} ms into the way back", time.as_millis()),
        }
    }
}
