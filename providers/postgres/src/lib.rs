//! PostgreSQL through tokio-postgres.
//!
//! Requests become one statement each, shaped as PostgREST shapes them, in one transaction with the
//! caller's role and claims set; PostgreSQL enforces its own policies and builds the reply's bytes.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod apply;
mod cancel;
mod cells;
mod config;
mod connector;
mod copy;
mod deadlock;
mod dial;
mod document;
mod driver;
mod error;
mod feed;
mod fence;
mod install;
mod introspect;
mod kept;
mod migrate;
mod packed;
mod page;
mod passed_over;
mod pieces;
mod plan;
mod pool;
mod prepare;
mod provider;
mod raw;
mod render;
mod replica;
mod requests;
mod rows;
mod scan;
mod schema;
mod script;
mod session;
mod settings;
mod shared;
mod sql;
mod tls;
mod transaction;
mod triggers;
mod values;
mod watch;
mod wire;

pub use config::{Config, PoolConfig, Pooler};
pub use dial::{Messages, connect};
pub use driver::PostgresDriver;
