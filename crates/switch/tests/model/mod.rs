//! Gateways, coordinators and two databases around the stored state, in every order of events.
//!
//! What is stored and how a cut-over proceeds are the crate's own `State` and `CutOver`. The world
//! around them is a sketch: one key, writes with unique numbers, a log for each side, so that a log
//! is the whole history of that side. A `Shortcut` is a world in which one node does less than the
//! protocol asks of it.

mod act;
mod checks;
mod parts;
mod search;
mod shortcuts;
mod standby;
mod tenants;
mod world;

use world::{Shortcut, World};
