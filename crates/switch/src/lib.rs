//! The live switch: moving a route from one backend to another while writes go on, and back.
//!
//! The protocol and its invariants are in `docs/switching.md`. [`Route`] says who serves; [`Gate`]
//! is where every operation asks which backend it goes to, and where writes wait while the route
//! changes; [`Switcher`] runs the switches. What is stored of both ([`machine::State`]) changes only
//! by the transitions of [`machine`], each a compare-and-set in a [`ControlStore`] before the step
//! that it speaks of.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(feature = "mutations")]
pub mod ambient;
#[cfg(not(feature = "mutations"))]
mod ambient;
mod chunks;
mod claim;
mod command;
mod control;
mod copy;
mod cutover;
mod definitions;
mod digest;
mod failpoint;
mod fence;
mod follow;
mod followed;
mod forward;
mod gate;
mod gradual;
mod hash;
mod keeper;
mod left_out;
mod lift;
pub mod machine;
mod mutation;
mod node;
mod objects;
mod pace;
mod plan;
mod progress;
mod record;
mod records;
mod rehearse;
mod reverse;
mod routes;
mod shared;
mod side;
mod signal;
mod standing;
mod steering;
mod stray;
mod switcher;
mod verify;

pub use control::{ControlStore, Entry, MemoryStore, lost};
pub use gate::{Gate, Held, Pass, Plea, Reach, Touch};
pub use gradual::{Different, PartPhase, PartReport, ReadOptions, ReadReport, Reads, TenantOptions};
pub use machine::{Handover, Phase, Route, Strategy};
pub use node::Fleet;
pub use objects::Files;
pub use plan::Plan;
pub use progress::Progress;
pub use record::{Copied, Flip, ObjectsReport, Options, Record, Report, Stray, TableReport, Verify};
pub use rehearse::{Altered, RefusedRow, Rehearsal};
pub use routes::Routes;
pub use side::{Side, Sides};
pub use standing::{
    Failover, FailoverReport, Foreseen, LED_ELSEWHERE, Loss, LostRow, LostRows, MirrorPhase, MirrorStatus,
    Mirrors, Pair, Reapplied, Returned,
};
pub use steering::{Member, Steering};
pub use stray::{StrayChange, StrayLog, is_stray};
pub use switcher::Switcher;
