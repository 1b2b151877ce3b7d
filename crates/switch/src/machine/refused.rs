//! Why a change of the stored state is refused.

use std::fmt;

use truststream_kernel::{Error, ErrorKind};

use super::{MOST_PARTS, Phase};

/// Why an event does not apply. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another node leads switches, or has since this one did.
    NotLeading,
    /// The node that leads holds its lease still.
    LeaseHeld {
        /// That node.
        holder: String,
    },
    /// The lease ran out, or there is none of this name: come back as new, with nothing in flight.
    LeaseLost,
    /// The route is of another epoch by now.
    Stale {
        /// Its epoch.
        present: u64,
    },
    /// There is no switch, or another one.
    NoSwitch,
    /// A switch that is not over is in the way.
    NotOver,
    /// The switch can't do this where it stands.
    Phase {
        /// Where it stands.
        present: Phase,
    },
    /// Both sides have not been compared in this switch.
    NotVerified,
    /// Gateways may still have writes of an older epoch in flight.
    Unacknowledged {
        /// These gateways.
        gateways: Vec<String>,
    },
    /// The fence is to stand longer than it was when it was seen.
    Extended,
    /// The steps of a cut-over have an order, and this one is not next.
    OutOfOrder,
    /// Writes are held: they must not wait for an operator.
    WritesHeld,
    /// The operator has stopped the switch.
    Paused,
    /// There is no such part.
    NoPart,
    /// The target serves some parts already.
    PartsMoved,
    /// So many parts move by themselves, and no more.
    TooManyParts,
    /// Clients touch the part together with something that the other backend would serve.
    Tied,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotLeading => write!(out, "another node leads switches now"),
            Refused::LeaseHeld { holder } => write!(out, "node {holder} leads switches"),
            Refused::LeaseLost => write!(out, "the lease of this node ran out"),
            Refused::Stale { present } => {
                write!(out, "the route was changed by someone else (epoch {present})")
            }
            Refused::NoSwitch => write!(out, "there is no such switch"),
            Refused::NotOver => write!(out, "another switch is not over"),
            Refused::Phase { present } => {
                write!(out, "the switch can't do this while it is {}", present.name())
            }
            Refused::NotVerified => write!(out, "the two sides have not been compared in this switch"),
            Refused::Unacknowledged { gateways } => {
                write!(out, "writes may be in flight in {}", gateways.join(", "))
            }
            Refused::Extended => write!(out, "the fence stands longer than before"),
            Refused::OutOfOrder => write!(out, "this is not the next step of the cut-over"),
            Refused::Paused => write!(out, "the switch is paused"),
            Refused::NoPart => write!(out, "there is no such part"),
            Refused::PartsMoved => write!(out, "the target serves some parts already; bring them back first"),
            Refused::Tied => {
                write!(out, "the part is written together with what another backend would serve")
            }
            Refused::TooManyParts => {
                write!(out, "{MOST_PARTS} parts were named by now; move all that are left together")
            }
            Refused::WritesHeld => write!(out, "writes are held; let it end or abort it"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let code = match refused {
            Refused::NotLeading
            | Refused::LeaseHeld { .. }
            | Refused::LeaseLost
            | Refused::Stale { .. }
            | Refused::Extended => "BACKEND_007",
            Refused::NotVerified => "BACKEND_009",
            _ => "BACKEND_011",
        };
        Error::new(ErrorKind::Conflict, code, refused.to_string()).with_source(refused)
    }
}
