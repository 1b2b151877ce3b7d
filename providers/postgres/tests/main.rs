//! Against a real PostgreSQL.

#![allow(clippy::unwrap_used)]

mod conformance;
mod requests;
mod support;
