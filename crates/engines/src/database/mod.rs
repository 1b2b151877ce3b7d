//! What every database can do beyond its provider: versions of rows, idempotency keys, soft delete,
//! and who may send SQL. One layer below the route, so each holds on every provider alike.

mod hints;
mod idempotency;
mod layer;
mod request;
mod session;
mod soft_delete;
mod version;

pub use layer::DatabaseLayer;

/// Migrations of the layer's own tables: name and PostgreSQL SQL.
pub const MIGRATIONS: &[(&str, &str)] = &[("truststream_requests_0001", idempotency::TABLES)];
