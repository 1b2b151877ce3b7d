//! The shared suite that every provider must pass.
//!
//! Each case is a plain async function listed in a table with the features it needs. The rule
//! works both ways: what a provider declares must pass, and what it does not declare must be
//! refused as unsupported, so that a provider can't get worse unnoticed.
//!
//! A provider's tests call [`run`] with its name, the cases of a service and a function that opens
//! a fresh instance:
//!
//! ```text
//! #[tokio::test(flavor = "multi_thread")]
//! async fn conformance() {
//!     run("sqlite", database::CASES, || async { Ok(fresh_stack().await) }).await;
//! }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod database;
mod harness;
pub mod mongodb_server;
pub mod objects;
pub mod passing;
pub mod port;
pub mod postgres_server;
pub mod scratch;

pub use harness::{Case, Env, Failure, Outcome, only, run};

/// Settings of a test's project: a busy machine is neither a provider that is down nor a pause that is too long.
pub const PATIENT: &str = "[switch]\nhold = \"120s\"\nmax_pause = \"60s\"\n\
    [health]\ntimeout = \"120s\"\nlatency = \"120s\"\n[layers.timeout]\nlimit = \"300s\"\n";
