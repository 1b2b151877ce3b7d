//! The library over the embedded database.
#![allow(clippy::unwrap_used, missing_docs)]

mod queries;
mod services;
mod support;
