//! What migrations become on SQLite: statements on rows, and what can't be held there.

mod check;
mod data;
mod insert;
pub mod materialized;
pub mod numbers;
pub mod program;
pub mod raw;
mod review;
pub mod routine;
mod row_ids;
mod target;
pub mod trigger;
pub mod truncate;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub use data::data;
pub(crate) use review::is_held;
pub use review::{foreign_type, review};
pub use write::{Guard, assigned_text as assigned};
