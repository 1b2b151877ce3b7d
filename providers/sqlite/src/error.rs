//! SQLite's errors in PostgreSQL's words.

use rusqlite::ffi::ErrorCode;
use truststream_kernel::{Error, ErrorKind};
use truststream_sql::raised::kind_of;

use crate::fence::CLOSED;

/// Marks a text that carries an [`Error`] through SQLite, which keeps texts only.
const MARK: &str = "\u{1}ts\u{1}";

/// Marks the code of an error that a function raises by its own words.
const OWN: char = '!';

/// Marks the details of an error behind its message.
const DETAILS: &str = "\u{1}ts details\u{1}";

/// Raises an error from within a function that SQL calls.
pub(crate) fn raise(error: &Error) -> rusqlite::Error {
    let mut text = format!("{MARK}{}\u{1}{}", error.code(), error.message());
    if let Some(details) = error.details().and_then(|details| details.as_str()) {
        text.push_str(DETAILS);
        text.push_str(details);
    }
    rusqlite::Error::UserFunctionError(text.into())
}

/// Raises an error that a function raises by its own words.
pub(crate) fn raise_own(code: &str, message: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("{MARK}{OWN}{code}\u{1}{message}").into())
}

/// What stands behind an error that a function raises by its own words, whatever its code.
#[derive(Debug)]
pub(crate) struct Raised;

impl std::fmt::Display for Raised {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("raised by a function")
    }
}

impl std::error::Error for Raised {}

/// The error that a function raises by its own words.
pub(crate) fn raised(code: &str, message: String) -> Error {
    Error::new(kind_of(code), code.to_owned(), message).with_source(Raised)
}

/// The error that SQLite reported.
pub(crate) fn convert(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    if let Some((_, carried)) = text.split_once(MARK) {
        let (code, message) = carried.split_once('\u{1}').unwrap_or(("XX000", carried));
        if let Some(code) = code.strip_prefix(OWN) {
            return raised(code, message.to_owned());
        }
        let error = |message: &str| Error::new(kind_of(code), code.to_owned(), message.to_owned());
        return match message.split_once(DETAILS) {
            Some((message, details)) => error(message).with_details(details.to_owned()),
            None => error(message),
        };
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
