//! Errors that functions raise.

use truststream_kernel::ErrorKind;

/// The kind of an error that a function raises by its code: one that nobody else uses tells the caller
/// that it asked for what it must not.
pub fn kind_of(code: &str) -> ErrorKind {
    match code {
        "42501" => ErrorKind::PermissionDenied,
        "23505" => ErrorKind::AlreadyExists,
        "0A000" => ErrorKind::Unsupported,
        "40001" => ErrorKind::Conflict,
        _ if code.starts_with("23") => ErrorKind::Constraint,
        _ if code.starts_with("XX") => ErrorKind::Internal,
        _ => ErrorKind::InvalidInput,
    }
}
