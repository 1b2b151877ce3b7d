//! The commands of the catalog: the real binary on SQLite and on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod differences;
mod migrations;
mod support;
