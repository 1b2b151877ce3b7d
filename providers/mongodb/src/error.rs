//! MongoDB's errors in PostgreSQL's words.

use mongodb::error::{Error as Native, ErrorKind as NativeKind, WriteFailure};
use truststream_kernel::{Error, ErrorKind, Outcome};

/// Another transaction wrote the same document.
const WRITE_CONFLICT: i32 = 112;
/// A unique index has the key already.
pub(crate) const DUPLICATE_KEY: i32 = 11_000;

/// The error that MongoDB reported.
pub(crate) fn convert(error: Native) -> Error {
    let (kind, sqlstate, message) = match code(&error) {
        Some(WRITE_CONFLICT | 251 | 246) => return conflict(error),
        Some(DUPLICATE_KEY) => (ErrorKind::AlreadyExists, "23505", "a unique key exists already"),
        Some(50 | 202 | 262) => (ErrorKind::Timeout, "57014", "canceling statement due to statement timeout"),
        Some(13 | 18) => (ErrorKind::Configuration, "BACKEND_002", "the database refuses these credentials"),
        Some(241) => match text(&error).and_then(meant) {
            Some((kind, sqlstate, words)) => {
                return Error::new(kind, sqlstate, words.to_owned()).with_source(error);
            }
            None => (
                ErrorKind::Unsupported,
                "0A000",
                "this database compares neither JSON objects and arrays as text nor numbers of more than 34 digits",
            ),
        },
        // Codes of `$mod`, and that of all wrong values, of which `$divide` makes one.
        Some(2 | 16_610 | 5_733_415) if text(&error).is_some_and(|text| text.contains(" by zero")) => {
            (ErrorKind::InvalidInput, "22012", "division by zero")
        }
        Some(280 | 286) => {
            (ErrorKind::NotFound, "BACKEND_010", "the changes after this position are not kept any more")
        }
        Some(10_334 | 17_280 | 17_419) => (ErrorKind::TooLarge, "54000", "the row is larger than 16 MB"),
        Some(121) => (ErrorKind::Constraint, "23514", "a row violates the rules of its collection"),
        _ if error.contains_label("TransientTransactionError") => return conflict(error),
        _ => match error.kind.as_ref() {
            NativeKind::ServerSelection { .. }
            | NativeKind::Io(_)
            | NativeKind::ConnectionPoolCleared { .. } => {
                return unavailable(error);
            }
            NativeKind::Authentication { .. } => {
                (ErrorKind::Configuration, "BACKEND_002", "the database refuses these credentials")
            }
            NativeKind::InvalidArgument { .. } => {
                (ErrorKind::Configuration, "BACKEND_002", "the address of the database is not right")
            }
            _ => (ErrorKind::Internal, "XX000", "the database failed"),
        },
    };
    Error::new(kind, sqlstate, message).with_source(error)
}

/// What a pipeline refuses in words of its own ([`crate::term::refusal`]): where they begin, how they end, and
/// what they mean.
const REFUSALS: &[(&str, &str, ErrorKind, &str)] = &[
    ("value for domain ", "\"", ErrorKind::Constraint, "23514"),
    ("domain ", " does not allow null values", ErrorKind::Constraint, "23502"),
    ("field name must not be ", "null", ErrorKind::InvalidInput, "22023"),
    ("argument ", ": key must not be null", ErrorKind::InvalidInput, "22023"),
    ("division by ", "zero", ErrorKind::InvalidInput, "22012"),
    ("numeric field ", "overflow", ErrorKind::InvalidInput, "22003"),
    ("this database reckons with no ", "infinity", ErrorKind::Unsupported, "0A000"),
    ("smallint out ", "of range", ErrorKind::InvalidInput, "22003"),
    ("integer out ", "of range", ErrorKind::InvalidInput, "22003"),
    ("bigint out ", "of range", ErrorKind::InvalidInput, "22003"),
];

/// The words of a refusal within the server's text.
fn meant(text: &str) -> Option<(ErrorKind, &'static str, &str)> {
    REFUSALS.iter().find_map(|(begin, end, kind, sqlstate)| {
        let words = &text[text.find(begin)?..];
        // A constraint's name stands within quotes.
        let from = if *end == "\"" { words.find('"')? + 1 } else { begin.len() };
        let to = from + words[from..].find(end)? + end.len();
        Some((*kind, *sqlstate, &words[..to]))
    })
}

fn conflict(error: Native) -> Error {
    Error::new(ErrorKind::Conflict, "40001", "could not serialize access due to concurrent update")
        .with_source(error)
}

fn unavailable(error: Native) -> Error {
    let unsure =
        error.contains_label("RetryableWriteError") || error.contains_label("UnknownTransactionCommitResult");
    let outcome = if unsure { Outcome::Unknown } else { Outcome::NotApplied };
    Error::unavailable("the database can't be reached").with_outcome(outcome).with_source(error)
}

/// A reply whose parts can't be read.
pub(crate) fn unreadable(error: mongodb::bson::error::Error) -> Error {
    Error::internal("the database's reply can't be read").with_source(error)
}

/// The server's number of an error.
pub(crate) fn code(error: &Native) -> Option<i32> {
    match error.kind.as_ref() {
        NativeKind::Command(command) => Some(command.code),
        NativeKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        NativeKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        NativeKind::InsertMany(many) => many.write_errors.as_ref()?.first().map(|write| write.code),
        _ => None,
    }
}

/// The server's text of a failed write.
pub(crate) fn text(error: &Native) -> Option<&str> {
    match error.kind.as_ref() {
        NativeKind::Command(command) => Some(&command.message),
        NativeKind::Write(WriteFailure::WriteError(write)) => Some(&write.message),
        NativeKind::InsertMany(many) => {
            many.write_errors.as_ref()?.first().map(|write| write.message.as_str())
        }
        _ => None,
    }
}
