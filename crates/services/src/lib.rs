//! The services of TrustStream. Each has the same files: `ops` (operations and replies as values),
//! `driver` (the trait a provider implements), `handle` (the typed face applications use) and
//! `features` (what a provider may say it can do).

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
pub mod database;
pub mod objects;
pub mod realtime;
pub mod storage;
