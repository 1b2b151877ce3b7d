//! Against a real PostgreSQL.

#![allow(clippy::unwrap_used)]

mod conformance;
mod connections;
mod exact;
mod feed;
mod requests;
mod support;
