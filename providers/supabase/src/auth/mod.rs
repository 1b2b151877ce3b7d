//! The Auth service by Supabase Auth's HTTP API.

mod driver;
mod keys;
mod verify;

pub use driver::RemoteAuth;
