//! Object stores through OpenDAL: a folder, memory, S3.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod error;
mod key;
mod objects;

pub use config::{FsConfig, MemoryConfig, S3Config};
pub use objects::ObjectsProvider;
