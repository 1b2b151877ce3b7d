//! What `truststream demo` is made of.

mod data;
mod picture;
mod postgres;
mod traffic;

pub use data::{MIGRATION, fill};
pub use picture::{draw, percentile};
pub use postgres::Postgres;
pub use traffic::{Outcome, Sample, Traffic};
