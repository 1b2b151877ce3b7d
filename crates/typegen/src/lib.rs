//! Types for applications, written from a catalog: a catalog in, a text out, the same text for the
//! same schema whatever order it was made in.
//!
//! [`typescript`] writes what supabase-js takes as `createClient<Database>()`; [`rust`] writes structs
//! that the library reads rows into.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod columns;
mod rust;
mod shape;
mod typescript;

#[cfg(test)]
mod tests;

pub use rust::rust;
pub use typescript::typescript;
