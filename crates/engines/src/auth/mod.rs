//! The native auth engine: users, sessions and tokens on the backend's own database.
//!
//! State is in the tables of schema `auth`, in Supabase's shape, and reached through Database
//! operations only, so a switch moves users, passwords and sessions as rows like any others.
//! Passwords are hashed on few threads at a time; access tokens are verified without the database.

mod access;
mod admin;
mod challenges;
mod claims;
mod engine;
mod error;
mod factors;
mod firebase;
mod keys;
mod moment;
mod passwords;
mod refresh;
mod rows;
mod schema;
mod sessions;
mod settings;
mod sign_in;
mod sign_up;
mod store;
mod totp;
mod update;
mod users;

pub use engine::AuthEngine;
pub use keys::{DEVELOPMENT_SECRET, Keys};
pub use schema::MIGRATIONS;
pub use settings::{
    AuthSettings, EmailSettings, KeySettings, MfaSettings, PasswordSettings, RateLimits, TotpSettings,
};
