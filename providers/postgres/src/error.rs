//! PostgreSQL's errors as TrustStream's.

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
use truststream_kernel::{Error, ErrorKind, Outcome};

/// The name errors and metrics carry.
pub(crate) const PROVIDER: &str = "postgres";

/// What to do about a write that a connection was lost during.
const LOOK_AND_REPEAT: &str = "a write under way may or may not have been kept: look, then try again";

/// An error of a statement. A lost connection leaves open whether it was applied.
pub(crate) fn failed(error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) if is_shutdown(db) => {
            reported(db).with_hint(LOOK_AND_REPEAT).with_outcome(Outcome::Unknown).with_source(error)
        }
        Some(db) => reported(db).with_source(error),
        None if is_lost(&error) => Error::unavailable("the connection to the database was lost")
            .with_hint(LOOK_AND_REPEAT)
            .with_outcome(Outcome::Unknown)
            .with_source(error),
        None => Error::internal("the database could not be understood")
            .with_outcome(Outcome::Unknown)
            .with_source(error),
    }
}

/// An error while connecting: nothing was sent yet.
pub(crate) fn unreachable(error: tokio_postgres::Error) -> Error {
    let message = match error.as_db_error() {
        Some(db) => format!("the database refused the connection: {}", db.message()),
        None => "the database can't be reached".to_owned(),
    };
    Error::unavailable(message).with_source(error)
}

/// No connection could be had from the pool.
pub(crate) fn no_connection(error: PoolError<Error>) -> Error {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Timeout(TimeoutType::Wait) => {
            let message = "Timed out acquiring connection from connection pool.";
            Error::new(ErrorKind::Unavailable, "PGRST003", message)
                .with_hint("all connections are busy: try again in a moment, or raise pool.max")
        }
        other => Error::unavailable("no connection to the database").with_source(other.to_string()),
    }
}

/// Whether preparing anew and repeating the transaction helps.
pub(crate) fn is_stale_statement(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        *db.code() == SqlState::INVALID_SQL_STATEMENT_NAME
            || (*db.code() == SqlState::FEATURE_NOT_SUPPORTED
                && db.message() == "cached plan must not change result type")
    })
}

/// Where in the statement the error is, as a number of characters from 1.
pub(crate) fn position(error: &tokio_postgres::Error) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(position) => usize::try_from(*position).ok(),
        ErrorPosition::Internal { .. } => None,
    }
}

fn reported(db: &DbError) -> Error {
    let code = db.code().code().to_owned();
    let mut error = match db.constraint() {
        Some(crate::fence::FENCE) => Error::new(ErrorKind::Fenced, "BACKEND_006", db.message().to_owned()),
        _ => Error::new(ErrorKind::of_code(&code), code, db.message().to_owned()),
    };
    if let Some(detail) = db.detail() {
        error = error.with_details(detail);
    }
    if let Some(hint) = db.hint() {
        error = error.with_hint(hint.to_owned());
    }
    error
}

/// Whether the server ended the connection: what it was doing may have been done by then.
fn is_shutdown(db: &DbError) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN].contains(db.code())
}

/// Whether the connection is gone.
pub(crate) fn is_lost(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none() && (error.is_closed() || is_io(error))
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<std::io::Error>() {
            return true;
        }
        source = cause.source();
    }
    false
}
