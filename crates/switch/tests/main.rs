//! The state machine of switches, checked exhaustively, and switches between all engines.
#![allow(clippy::unwrap_used)]

/// A busy machine is neither a provider that is down nor a pause that is too long.
const PATIENT: &str = "[switch]\nhold = \"120s\"\nmax_pause = \"60s\"\n\
    [health]\ntimeout = \"120s\"\nlatency = \"120s\"\n[layers.timeout]\nlimit = \"300s\"\n";

mod definitions;
mod direct;
mod foreseen;
mod gradual;
mod model;
mod pairs;
mod scale;
