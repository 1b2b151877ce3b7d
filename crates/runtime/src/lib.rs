//! Configuration to backends to stacks to routes: the only place that puts layers around drivers.
//!
//! [`Runtime::open`] turns a [`Config`] into a project that serves: trace, metrics, guard and retry
//! stand above the route; below it every backend has its breaker, its timeout and its driver.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backend;
mod backends;
pub mod config;
mod control;
mod failover;
mod feed;
mod foreign;
mod health;
mod legs;
mod measures;
mod mirror;
mod observed;
mod own_tables;
pub mod portability;
mod project;
mod project_recorded;
mod project_schema;
mod providers;
mod routed;
mod runtime;
mod status;
mod transaction;

pub use backend::{Backend, ServiceInfo};
pub use backends::Backends;
pub use config::{Config, LoadOptions};
pub use control::ControlConfig;
pub use feed::RoutedDatabase;
pub use mirror::Fallback;
pub use observed::{ObservedQueries, ObservedQuery};
pub use project::{Migrated, ProjectFiles, SqlFile, Standing, version};
pub use project_schema::ProjectSchema;
pub use providers::{Capabilities, capabilities, capability_tables, remote_helper};
pub use routed::{Routed, Stacks};
pub use runtime::{Runtime, STATE_FOLDER};
pub use status::{BackendStatus, MirrorShown, Readiness, ServiceStatus, Status};
pub use truststream_layers::{Applied, BreakerState, BreakerStatus, Fault, FaultId, Faults};
