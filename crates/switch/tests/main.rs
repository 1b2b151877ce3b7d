//! The state machine of switches, checked exhaustively, and switches between all engines.
#![allow(clippy::unwrap_used)]

use truststream_conformance::PATIENT;

mod definitions;
mod direct;
mod foreseen;
mod gradual;
mod leaving;
mod model;
mod objects;
mod pairs;
mod scale;
