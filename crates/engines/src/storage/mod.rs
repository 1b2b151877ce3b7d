//! The native storage engine: names, buckets and policies in the database, bytes in an object
//! store.
//!
//! What a caller may do is decided by the policies on `storage.objects` and `storage.buckets`: the
//! engine asks the database as the caller. Bytes are written under a new version first and become
//! visible by one write to the database; what an object had before is removed afterwards.

mod buckets;
mod engine;
mod error;
mod listing;
mod names;
mod rows;
mod schema;
mod tokens;
mod uploads;

pub use engine::{StorageEngine, StorageSettings};
pub use schema::MIGRATIONS;
