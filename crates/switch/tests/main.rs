//! The state machine of switches, checked exhaustively.
#![allow(clippy::unwrap_used)]

mod model;
