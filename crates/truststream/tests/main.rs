//! The library over the embedded database.
#![allow(clippy::unwrap_used, missing_docs)]

mod faults;
mod queries;
mod services;
mod support;
