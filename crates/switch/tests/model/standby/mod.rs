//! Gateways that may lead, a backend that they take for lost, and its mirror, in every order of events.
//!
//! What is stored is the crate's own `State`. The world around it is a sketch: writes with unique
//! numbers, a log for each side, and changes that are on their way to the mirror for as long as they
//! like, whatever becomes of who sent them. Nobody knows whether the backend is really lost.

mod act;
mod checks;
mod world;

use world::{Shortcut, World};
