//! Object stores through OpenDAL: a folder, memory, S3.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod config;
mod error;
mod key;
mod objects;
mod provider;

#[cfg(feature = "s3")]
pub use config::S3Config;
pub use config::{FsConfig, MemoryConfig};
pub use objects::ObjectsProvider;
