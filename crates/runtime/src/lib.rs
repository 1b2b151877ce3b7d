//! Configuration to backends to stacks to routes: the only place that puts layers around drivers.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;

pub use config::{Config, LoadOptions};
