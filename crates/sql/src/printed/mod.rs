//! What PostgreSQL prints, read: rows as records, snapshots, and the log that keeps them.

mod log;
pub mod record;
mod snapshot;

pub use log::with_change_log;
pub use snapshot::Snapshot;
