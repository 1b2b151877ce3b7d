//! The provider against TrustStream's own gateway: a project with a URL and keys, in this process.

#![allow(clippy::unwrap_used)]

mod auth;
mod conformance;
mod database;
mod keys;
mod moving;
mod project;
mod storage;
mod support;
