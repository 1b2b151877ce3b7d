//! The library, on every kind of database.
#![allow(clippy::unwrap_used, missing_docs)]

mod failover;
mod faults;
mod queries;
mod rows;
mod services;
mod support;
mod together;
mod transfer;
