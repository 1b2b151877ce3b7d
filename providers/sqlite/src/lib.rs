//! The Database service on embedded SQLite: one file, no server.
//!
//! One thread writes and commits for all who wait at once; connections of a pool read beside it.
//! Requests are planned here: names are resolved in the catalog, policies become conditions, JSON
//! is built by SQLite.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod apply;
mod authorize;
mod collation;
mod config;
mod connection;
mod ddl;
mod driver;
mod error;
mod feed;
mod functions;
mod internal;
mod lock;
mod migrate;
mod place;
mod plan;
mod prepare;
mod provider;
mod read;
mod readers;
mod render;
mod scan;
mod schema;
mod sequence;
mod session;
mod storage;
mod translate;
mod write;
mod writer;

pub use config::{Config, MemoryConfig, Synchronous};
pub use driver::SqliteDriver;
