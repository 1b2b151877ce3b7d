//! What goes wrong in a fleet, and when. All of it follows from the seed.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::namespaces::{Place, Way};
use crate::schedule::FARTHEST;
use crate::wire::Condition;

/// What the gateways share to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Share {
    /// A database, each over a wire of its own.
    Server,
    /// A file, as on one machine.
    File,
}

/// Which kind of thing goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process, or the wire from one to the control store.
    Process,
    /// The network between a gateway and servers, in namespaces.
    Network,
    /// Who leads stands still at a named step, until another has made the switch.
    StopAt,
    /// The backend that serves, which has a mirror.
    Backend,
}

/// Which gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The one that leads.
    Leader,
    /// One that does not.
    Other,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    /// It is killed, and started again later.
    Kill(Who),
    /// It stands still for longer than its lease.
    Freeze(Who),
    /// Its time of day jumps by so many seconds.
    Clock(Who, i64),
    /// The server of the control store crashes and comes up again.
    CrashControl,
    /// The wire to the control store is broken for longer than a lease.
    Wire(Who, Condition),
    /// Packets to or from these servers are lost for longer than a lease.
    Network(Who, &'static [Place], Way),
    /// The server of the backend that serves crashes for good, perhaps with who leads.
    LoseMain {
        with_leader: bool,
    },
    /// Nobody reaches the backend that serves any more.
    CutMain,
    /// It stands still at the step that it was started with, until another has made the switch.
    Stopped,
}

/// One run of a fleet.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    pub fault: Fault,
    /// The phase in which it goes wrong; whatever phase there is after the time if absent.
    pub phase: Option<&'static str>,
    pub after: Duration,
    pub back: bool,
}

const CONTROL: &[Place] = &[Place::Control];
const DATABASES: &[Place] = &[Place::Main, Place::Cloud];

impl Schedule {
    /// The run of a seed. The first seeds have each kind of fault once.
    pub fn of(seed: u64, share: Share, kind: Kind) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let fault = match kind {
            Kind::Process => of_processes(seed, share),
            Kind::Network => of_networks(seed),
            Kind::StopAt => Fault::Stopped,
            Kind::Backend => of_backends(seed),
        };
        let phase = match random.random_range(0..6) {
            0 => Some("copying"),
            1 => Some("verifying"),
            2 => Some("ready"),
            3 => Some("fencing"),
            4 => Some("committed"),
            _ => None,
        };
        let after = Duration::from_millis(random.random_range(0..1_500));
        let back = random.random_range(0..2) == 0 && !matches!(kind, Kind::StopAt | Kind::Backend);
        Schedule { fault, phase, after, back }
    }
}

impl Schedule {
    /// Whether somebody's time of day jumps.
    pub fn jumps(&self) -> bool {
        matches!(self.fault, Fault::Clock(..))
    }

    /// Who loses touch with the others, though it goes on.
    pub fn out_of_touch(&self) -> Option<Who> {
        match self.fault {
            Fault::Freeze(who) | Fault::Wire(who, _) => Some(who),
            Fault::Network(who, places, _) if places.contains(&Place::Control) => Some(who),
            _ => None,
        }
    }
}

fn of_processes(seed: u64, share: Share) -> Fault {
    // A file has no wire that could be cut.
    match seed % if share == Share::File { 6 } else { 10 } {
        0 => Fault::Nothing,
        1 => Fault::Kill(Who::Leader),
        2 => Fault::Freeze(Who::Leader),
        3 => Fault::Freeze(Who::Other),
        4 => Fault::Kill(Who::Other),
        5 if seed % 20 == 5 => Fault::Clock(Who::Leader, FARTHEST),
        5 => Fault::Clock(Who::Leader, -FARTHEST),
        6 => Fault::CrashControl,
        7 => Fault::Wire(Who::Leader, Condition::Cut),
        8 => Fault::Wire(Who::Other, Condition::Silent),
        _ => Fault::Wire(Who::Leader, Condition::Deaf),
    }
}

fn of_backends(seed: u64) -> Fault {
    match seed % 3 {
        0 => Fault::CutMain,
        number => Fault::LoseMain { with_leader: number == 2 },
    }
}

fn of_networks(seed: u64) -> Fault {
    let (who, places, way) = match seed % 8 {
        0 => (Who::Leader, DATABASES, Way::Back),
        1 => (Who::Leader, CONTROL, Way::Both),
        2 => (Who::Other, &Place::ALL[..], Way::Back),
        3 => (Who::Leader, &Place::ALL[..], Way::Both),
        4 => (Who::Leader, CONTROL, Way::There),
        5 => (Who::Other, CONTROL, Way::Back),
        6 => (Who::Leader, DATABASES, Way::Both),
        _ => (Who::Other, &Place::ALL[..], Way::There),
    };
    Fault::Network(who, places, way)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goal = if self.back { "back" } else { "commit" };
        let fault = match self.fault {
            Fault::Nothing => return write!(f, "{goal}"),
            Fault::Stopped => return write!(f, "{goal}, leader stopped in the middle"),
            Fault::LoseMain { with_leader: true } => return write!(f, "failover, main and leader lost"),
            Fault::LoseMain { .. } => return write!(f, "failover, main lost"),
            Fault::CutMain => return write!(f, "failover, main out of reach"),
            Fault::CrashControl => "control store crashed".to_owned(),
            Fault::Kill(who) => format!("{who} killed"),
            Fault::Freeze(who) => format!("{who} frozen"),
            Fault::Clock(who, by) => format!("time of day of {who} {by:+} s"),
            Fault::Wire(who, condition) => format!("wire of {who} to the control store {condition:?}"),
            Fault::Network(who, places, way) => format!("{who} cut off from {places:?}, {way:?}"),
        };
        match self.phase {
            Some(phase) => write!(f, "{goal}, {fault} while {phase}"),
            None => write!(f, "{goal}, {fault} after {} ms", self.after.as_millis()),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Who::Leader { "leader" } else { "other" })
    }
}
