//! `nextval`, `currval` and `setval`.

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::{Error, ErrorKind};

use super::FRESH;
use crate::error::raise;
use crate::session::Session;

pub(super) fn register(conn: &Connection, session: &Session) -> Result<()> {
    let state = session.clone();
    conn.create_scalar_function("ts_nextval", 4, FRESH, move |call: &Context<'_>| {
        if state.only_reads() {
            let message = "cannot execute nextval() in a read-only transaction";
            return Err(raise(&Error::new(ErrorKind::InvalidInput, "25006", message)));
        }
        let (name, start, by, limit) = (call.get::<String>(0)?, call.get(1)?, call.get(2)?, call.get(3)?);
        state.count(|counters| counters.next(&name, start, by, limit)).map_err(|error| raise(&error))
    })?;
    let state = session.clone();
    // It takes what nextval takes, so that it can stand in its place.
    conn.create_scalar_function("ts_currval", -1, FRESH, move |call: &Context<'_>| {
        let name: String = call.get(0)?;
        state.count(|counters| counters.last(&name)).ok_or_else(|| {
            let short = name.rsplit('.').next().unwrap_or(&name);
            let message = format!("currval of sequence \"{short}\" is not yet defined in this session");
            raise(&Error::new(ErrorKind::InvalidInput, "55000", message))
        })
    })?;
    let state = session.clone();
    conn.create_scalar_function("ts_setval", 2, FRESH, move |call: &Context<'_>| {
        let (name, last): (String, Option<i64>) = (call.get(0)?, call.get(1)?);
        if let Some(last) = last {
            state.count(|counters| counters.set(&name, last));
        }
        Ok(last)
    })?;
    let state = session.clone();
    conn.create_scalar_function("ts_restart", 2, FRESH, move |call: &Context<'_>| {
        let (name, last): (String, i64) = (call.get(0)?, call.get(1)?);
        state.count(|counters| counters.restart(&name, last));
        Ok(last)
    })
}
