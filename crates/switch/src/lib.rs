//! The live switch: moving a route from one backend to another while writes go on, and back.
//!
//! The protocol and its invariants are in `docs/switching.md`. [`Route`] says who serves; [`Gate`]
//! is where every operation asks which backend it goes to, and where writes wait while the route
//! changes.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod control;
mod gate;
mod route;

pub use control::{ControlStore, Entry, MemoryStore, lost};
pub use gate::{Gate, Held, Pass};
pub use route::{Handover, Route};
