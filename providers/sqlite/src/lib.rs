//! The Database service on embedded SQLite: one file, no server.
//!
//! One thread writes and commits for all who wait at once; connections of a pool read beside it.
//! Requests are planned here: names are resolved in the catalog, policies become conditions. Embedded
//! rows become JSON within SQLite, the rows of the reply as they are read (`rows`).

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod apply;
mod authorize;
mod collation;
mod config;
mod conflict;
mod connection;
mod ddl;
mod derived;
mod driver;
mod error;
mod explain;
mod features;
mod feed;
mod fence;
mod functions;
mod internal;
mod introspect;
mod migrate;
mod place;
mod plan;
mod prepare;
mod provider;
mod raw;
mod read;
mod readers;
mod render;
mod routine;
mod rows;
mod scan;
mod schema;
mod sequence;
mod session;
mod storage;
mod total;
mod transaction;
mod translate;
mod weigh;
mod words;
mod write;
mod writer;
mod xml;

pub use config::{Config, MemoryConfig, Synchronous};
pub use driver::SqliteDriver;
