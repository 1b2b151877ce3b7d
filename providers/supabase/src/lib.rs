//! A remote Supabase project as a provider, by its URL and keys only: for those who can't reach its
//! database.
//!
//! The Database service speaks PostgREST's HTTP API: queries are written back into its URL language
//! and the bodies of replies are passed through as they are. Auth and Storage speak the project's own
//! APIs. Who calls is told to the project by a token that it verifies itself, so its policies hold.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod auth;
mod client;
mod config;
mod credentials;
mod database;
mod error;
mod provider;
mod storage;
mod tokens;

pub use auth::RemoteAuth;
pub use config::Config;
pub use database::{RemoteDatabase, helper_script};
pub use storage::RemoteStorage;
