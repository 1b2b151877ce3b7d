//! The embedded database and PostgreSQL against one another.
#![allow(clippy::unwrap_used)]

mod differential;
mod migrations;
mod same_rows;
