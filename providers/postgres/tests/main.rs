//! Against a real PostgreSQL.

#![allow(clippy::unwrap_used)]

mod requests;
mod support;
