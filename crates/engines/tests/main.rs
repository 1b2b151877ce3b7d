//! Engines on real databases.

#![allow(clippy::unwrap_used)]

mod auth;
mod support;
