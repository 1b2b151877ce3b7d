//! The Storage service.

/// The key under which an object store keeps the bytes of one version of an object.
///
/// Every upload makes a new version, so what a key holds never changes.
pub fn object_key(bucket: &str, name: &str, version: &str) -> String {
    format!("{bucket}/{name}/{version}")
}
