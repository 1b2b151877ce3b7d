//! The state machine of switches: what is stored, and every change that may be made to it.
//!
//! There is one stored [`State`] for each project. It changes only by compare-and-set, and only to
//! what [`State::apply`] returns for an [`Event`]. Nothing here reads a clock, waits, or asks
//! anybody: observations are arguments, so the model that is checked exhaustively
//! (`tests/model`) runs these very functions.

mod act;
mod cutover;
mod lease;
mod part;
mod phase;
mod refused;
mod route;
mod standby;
mod state;
mod tenancy;
mod ties;

pub use act::Act;
pub use cutover::{CutOver, Seen, Step, reaches};
pub use lease::{Hold, Lease, Still};
pub use part::{Division, Leg, MOST_PARTS, Part};
pub use phase::Phase;
pub use refused::Refused;
pub use route::{Handover, Route};
pub use standby::Standby;
pub use state::{Event, Gateway, Stage, State, Strategy};
pub use tenancy::{Tenancy, TenantKind};
pub use ties::Tie;
