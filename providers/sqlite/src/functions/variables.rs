//! Variables of trigger functions, kept on their connection while the trigger fires.

use rusqlite::functions::Context;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Result};

use super::FRESH;
use crate::session::Session;

pub(super) fn register(conn: &Connection, session: &Session) -> Result<()> {
    let state = session.clone();
    conn.create_scalar_function("ts_variables", 1, FRESH, move |call: &Context<'_>| {
        state.frame(call.get::<i64>(0)? == 1);
        Ok(Cell::Null)
    })?;
    let state = session.clone();
    conn.create_scalar_function("ts_set_variable", 2, FRESH, move |call: &Context<'_>| {
        state.set_variable(call.get(0)?, call.get(1)?);
        Ok(Cell::Null)
    })?;
    let state = session.clone();
    conn.create_scalar_function("ts_variable", 1, FRESH, move |call: &Context<'_>| {
        Ok(state.variable(call.get_raw(0).as_str()?))
    })
}
