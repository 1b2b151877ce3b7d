//! The Database service on MongoDB.
//!
//! A table is a collection, a row a document with a field for each column; how values are stored is
//! told in `storage.rs`. Requests are planned here: names are resolved in the catalog, policies
//! become conditions, and a read is one aggregation pipeline whatever it embeds. Writes are
//! transactions of the server, and the feed of changes is its change stream.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod access;
mod apply;
mod authorize;
mod average;
mod backfill;
mod cancel;
mod cast;
mod clock;
mod config;
mod contain;
mod data;
mod ddl;
mod divide;
mod driver;
mod elements;
mod error;
mod feed;
mod guess;
mod internal;
mod introspect;
mod invoke;
mod json;
mod judge;
mod migrate;
mod money;
mod names;
mod partial;
mod partition;
mod parts;
mod pattern;
mod plan;
mod prepare;
mod program;
mod provider;
mod rank;
mod read;
mod record;
mod render;
mod represent;
mod review;
mod row;
mod scan;
mod schema;
mod sequence;
mod span;
mod sql;
mod storage;
mod stream;
mod term;
mod transaction;
mod truncate;
mod weigh;
mod work;
mod write;
mod written;
mod zone;

pub use config::Config;
pub use driver::MongoDriver;
