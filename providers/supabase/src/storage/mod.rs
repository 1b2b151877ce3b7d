//! The Storage service by Supabase Storage's HTTP API.

mod buckets;
mod driver;
mod objects;
mod rows;
mod single;

pub use driver::RemoteStorage;
