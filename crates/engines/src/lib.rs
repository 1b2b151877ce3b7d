//! The services TrustStream runs itself on top of others: native auth, storage and realtime.
//!
//! An engine is a driver that keeps its state in the database and the object store of the backend
//! it belongs to, so that a switch moves it as rows and objects.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
pub mod database;
pub mod realtime;
pub mod storage;
