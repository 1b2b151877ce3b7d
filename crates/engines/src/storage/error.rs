//! The errors of storage, with Supabase Storage's codes and sentences.

use truststream_kernel::{Error, ErrorKind};

pub(super) fn no_such_bucket() -> Error {
    Error::new(ErrorKind::NotFound, "NoSuchBucket", "Bucket not found")
}

pub(super) fn no_such_key() -> Error {
    Error::new(ErrorKind::NotFound, "NoSuchKey", "Object not found")
}

pub(super) fn already_exists() -> Error {
    Error::new(ErrorKind::AlreadyExists, "KeyAlreadyExists", "The resource already exists")
}

pub(super) fn bucket_already_exists() -> Error {
    Error::new(ErrorKind::AlreadyExists, "BucketAlreadyExists", "The resource already exists")
}

pub(super) fn bucket_not_empty() -> Error {
    Error::new(ErrorKind::Conflict, "InvalidRequest", "The bucket you tried to delete is not empty")
}

pub(super) fn invalid_key(name: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidKey", format!("Invalid key: {name}"))
}

pub(super) fn invalid_bucket_name() -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidBucketName", "Bucket name invalid")
}

pub(super) fn entity_too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "EntityTooLarge", "The object exceeded the maximum allowed size")
}

pub(super) fn invalid_mime_type(found: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidMimeType", format!("mime type {found} is not supported"))
}

pub(super) fn invalid_token(message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, "InvalidJWT", message)
}

pub(super) fn invalid_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidRange", "The requested range is not satisfiable")
}

/// What the database says of a refused write, in storage's words: a policy's refusal and a
/// duplicate have codes of their own.
pub(super) fn from_database(error: Error, duplicate: fn() -> Error) -> Error {
    match error.code() {
        "23505" => duplicate().with_source(error),
        "23503" => no_such_bucket().with_source(error),
        "42501" => Error::new(
            ErrorKind::PermissionDenied,
            "AccessDenied",
            "new row violates row-level security policy",
        )
        .with_source(error),
        _ => error,
    }
}
