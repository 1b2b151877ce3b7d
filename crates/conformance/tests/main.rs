//! The embedded database and PostgreSQL against one another.
#![allow(clippy::unwrap_used)]

mod same_rows;
