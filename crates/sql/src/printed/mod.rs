//! What PostgreSQL prints, read: rows as records, and snapshots.

pub mod record;
mod snapshot;

pub use snapshot::Snapshot;
