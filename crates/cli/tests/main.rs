//! The commands of the catalog: the real binary on SQLite and on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
#[cfg(target_os = "linux")]
mod bodies;
mod differences;
mod gradual;
#[allow(dead_code, missing_docs)]
mod made;
mod migrations;
mod report;
mod rows;
#[cfg(target_os = "linux")]
mod stopping;
mod support;
mod tenants;
mod typegen;
