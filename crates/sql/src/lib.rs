//! PostgreSQL text to catalog, filters and policies, and the query planner that the SQL providers share.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod closest;
pub mod payload;
pub mod quote;
pub mod relations;
