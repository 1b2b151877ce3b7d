//! The Storage service: buckets and objects with names, policies, signed URLs. What holds the bytes
//! is the Objects service; what is known of them is in the database.

mod driver;
mod features;
mod model;
pub mod operation;
mod ops;

pub use driver::StorageDriver;
pub use features::StorageFeature;
pub use model::*;
pub use ops::*;

/// The typed face of the Storage service.
pub type Storage = truststream_kernel::Handle<StorageService>;

/// The key under which an object store keeps the bytes of one version of an object.
///
/// Every upload makes a new version, so what a key holds never changes, a rename moves no bytes,
/// and no name a user chose becomes part of a path.
pub fn object_key(version: &str) -> String {
    let folder: String = version.chars().take(2).collect();
    format!("{folder}/{version}")
}
