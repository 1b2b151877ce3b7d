//! Against a real PostgreSQL.

#![allow(clippy::unwrap_used)]

mod conformance;
mod connections;
mod direct;
mod exact;
mod feed;
mod migrations;
mod pooler;
mod replica;
mod requests;
mod schema;
mod settings;
mod sharing;
mod support;
mod values;
