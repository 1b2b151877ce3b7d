//! TrustStream as a Rust library: one backend API over any provider.
//!
//! [`TrustStream`] opens a project; what it offers stands behind a few methods: tables
//! ([`TrustStream::from`]), functions ([`TrustStream::rpc`]), users ([`TrustStream::auth`]), files
//! ([`TrustStream::storage`]), messages and changes ([`TrustStream::realtime`]), and moving it all to
//! another backend while it runs ([`TrustStream::switch`]).
//!
//! ```no_run
//! use serde::Deserialize;
//! use truststream::TrustStream;
//!
//! #[derive(Deserialize)]
//! struct Track {
//!     title: String,
//! }
//!
//! # async fn example() -> truststream::Result<()> {
//! let db = TrustStream::open("truststream.toml").await?;
//! let tracks: Vec<Track> =
//!     db.from("tracks").select("title").gte("seconds", 240).order("title").limit(10).fetch().await?;
//! # Ok(())
//! # }
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod auth;
mod client;
mod decode;
pub mod failover;
mod open;
pub mod query;
pub mod realtime;
pub mod storage;
pub mod switch;
mod transaction;
pub mod transfer;

pub use client::TrustStream;
pub use transaction::{Transaction, Tx};
pub use truststream_kernel::{
    Body, ByteStream, Caller, Context, Error, ErrorKind, Identity, Outcome, Result, Retry, Secret,
};
pub use truststream_runtime::config::{Config, LoadOptions};
pub use truststream_runtime::{Applied, Fault, FaultId, Faults, Migrated, Runtime, Status};
pub use truststream_services::database::{Catalog, Count, Filter, Isolation, Query};
