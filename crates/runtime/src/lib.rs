//! Configuration to backends to stacks to routes: the only place that puts layers around drivers.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod config;
mod control;
mod feed;
mod routed;

pub use config::{Config, LoadOptions};
pub use feed::RoutedDatabase;
pub use routed::{Routed, Stacks};
