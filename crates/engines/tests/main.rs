//! Engines on real databases.

#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

mod auth;
mod storage;
