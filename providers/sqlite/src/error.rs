//! SQLite's errors in PostgreSQL's words.

use rusqlite::ffi::ErrorCode;
use truststream_kernel::{Error, ErrorKind};

use crate::fence::CLOSED;

/// Marks a text that carries an [`Error`] through SQLite, which keeps texts only.
const MARK: &str = "\u{1}ts\u{1}";

/// Raises an error from within a function that SQL calls.
pub(crate) fn raise(error: &Error) -> rusqlite::Error {
    let text = format!("{MARK}{}\u{1}{}", error.code(), error.message());
    rusqlite::Error::UserFunctionError(text.into())
}

/// The error that SQLite reported.
pub(crate) fn convert(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    if let Some((_, carried)) = text.split_once(MARK) {
        let (code, message) = carried.split_once('\u{1}').unwrap_or(("XX000", carried));
        return Error::new(kind_of(code), code.to_owned(), message.to_owned());
    }
    if text.starts_with(CLOSED) {
        return Error::new(ErrorKind::Fenced, "BACKEND_006", text);
    }
    let (kind, code) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (ErrorKind::Unavailable, "55P03"),
        Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, "53100"),
        Some(ErrorCode::TooBig) => (ErrorKind::TooLarge, "54000"),
        Some(ErrorCode::OperationInterrupted) => (ErrorKind::Timeout, "57014"),
        Some(ErrorCode::ConstraintViolation) => (ErrorKind::Constraint, "23000"),
        _ => (ErrorKind::Internal, "XX000"),
    };
    Error::new(kind, code, "the database failed").with_source(error)
}

/// The kind that a SQLSTATE stands for.
pub(crate) fn kind_of(code: &str) -> ErrorKind {
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
