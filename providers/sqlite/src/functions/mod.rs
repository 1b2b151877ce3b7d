//! What SQL calls: PostgreSQL's words for which SQLite has none.

mod aggregate;
pub(crate) mod compare;
mod fit;
mod intervals;
mod json;
mod numbers;
mod range;
mod record;
mod search;
mod settings;
mod shared;
mod text;
mod variables;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, Result};
use truststream_services::database::{TableName, errors};

use crate::collation;
use crate::error::{raise, raise_own};
use crate::session::Session;
use crate::write::outside;

/// A pure function: the planner may move it.
const PURE: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);
/// One whose result is JSON.
const JSON: FunctionFlags = PURE.union(FunctionFlags::SQLITE_RESULT_SUBTYPE);
/// One that answers anew each time.
const FRESH: FunctionFlags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_INNOCUOUS);

/// Makes all functions and collations known to a connection.
pub(crate) fn register(conn: &Connection, session: &Session) -> Result<()> {
    collation::register(conn)?;
    json::register(conn)?;
    text::register(conn)?;
    compare::register(conn)?;
    aggregate::register(conn)?;
    intervals::register(conn)?;
    range::register(conn)?;
    record::register(conn)?;
    search::register(conn)?;
    shared::register(conn)?;
    settings::register(conn, session)?;
    variables::register(conn, session)?;
    numbers::register(conn, session)?;
    fit::register(conn)?;
    about_the_caller(conn, session)
}

fn about_the_caller(conn: &Connection, session: &Session) -> Result<()> {
    // They hold still while a statement runs, so the planner may call them once.
    let state = session.clone();
    conn.create_scalar_function("ts_auth_uid", 0, PURE, move |_| Ok(state.subject()))?;
    let state = session.clone();
    conn.create_scalar_function("ts_auth_role", 0, PURE, move |_| Ok(state.claim("role")))?;
    let state = session.clone();
    conn.create_scalar_function("ts_auth_email", 0, PURE, move |_| Ok(state.claim("email")))?;
    let state = session.clone();
    conn.create_scalar_function("ts_auth_jwt", 0, PURE, move |_| Ok(state.claims()))?;
    let state = session.clone();
    conn.create_scalar_function("ts_current_user", 0, PURE, move |_| Ok(state.role()))?;
    let state = session.clone();
    conn.create_scalar_function("ts_origin", 0, FRESH, move |_| Ok(state.origin()))?;
    let state = session.clone();
    conn.create_scalar_function("ts_now", 0, FRESH, move |_| Ok(state.now()))?;
    conn.create_scalar_function("ts_uuid", 0, FRESH, |_| Ok(uuid::Uuid::new_v4().to_string()))?;
    conn.create_scalar_function("ts_raise", 2, FRESH, |call: &Context<'_>| -> Result<Option<i64>> {
        let (code, message): (String, String) = (call.get(0)?, call.get(1)?);
        Err(raise_own(&code, &message))
    })?;
    conn.create_scalar_function("ts_null_value", 2, FRESH, |call: &Context<'_>| -> Result<Option<i64>> {
        let (relation, column): (String, String) = (call.get(0)?, call.get(1)?);
        Err(raise(&errors::null_value(&TableName::public(relation), &column)))
    })?;
    conn.create_scalar_function("ts_outside", -1, FRESH, |call: &Context<'_>| -> Result<Option<i64>> {
        let cells = (1..call.len()).map(|at| call.get(at)).collect::<Result<Vec<Option<String>>>>()?;
        Err(raise(&outside(&call.get::<String>(0)?, cells)))
    })
}

/// The text of an argument; `None` for null.
fn text<'a>(call: &'a Context<'_>, index: usize) -> Result<Option<&'a str>> {
    match call.get_raw(index) {
        ValueRef::Null => Ok(None),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map(Some)
            .map_err(|error| rusqlite::Error::UserFunctionError(error.into())),
        _ => Err(rusqlite::Error::UserFunctionError("a text was expected".into())),
    }
}

/// A text result.
fn owned(text: String) -> ToSqlOutput<'static> {
    ToSqlOutput::Owned(Cell::Text(text))
}
