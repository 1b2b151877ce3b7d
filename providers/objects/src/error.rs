//! OpenDAL's errors in TrustStream's terms.

use opendal::ErrorKind as Store;
use truststream_kernel::{Error, ErrorKind, Outcome, Retry};

/// The error of an operation on the object `key`.
pub fn from_store(error: opendal::Error, key: &str) -> Error {
    let temporary = error.is_temporary();
    let mapped = match error.kind() {
        Store::NotFound => Error::new(ErrorKind::NotFound, "NoSuchKey", "Object not found"),
        Store::PermissionDenied => Error::new(
            ErrorKind::Unavailable,
            "BACKEND_005",
            "the object store refused our credentials or file permissions",
        )
        .with_hint("check the storage provider's settings and its rights on the bucket or folder"),
        Store::RateLimited => {
            Error::new(ErrorKind::RateLimited, "SlowDown", "the object store asks to slow down")
        }
        Store::RangeNotSatisfied => {
            Error::new(ErrorKind::InvalidInput, "InvalidRange", "the requested range can't be satisfied")
        }
        Store::Unsupported => Error::unsupported("the object store can't do this"),
        Store::ConfigInvalid => Error::configuration("the settings of the object store are not valid"),
        _ => Error::new(ErrorKind::Unavailable, "BACKEND_005", "the object store did not answer as expected")
            .with_outcome(Outcome::Unknown),
    };
    let mapped = if temporary { mapped.with_retry(Retry::Later(None)) } else { mapped };
    mapped.with_details(key.to_owned()).with_source(error)
}
