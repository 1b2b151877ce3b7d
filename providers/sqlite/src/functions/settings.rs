//! `current_setting` and `set_config`: what is known of the request, and what functions say of the
//! reply.

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::{Error, ErrorKind};

use super::{FRESH, PURE, text};
use crate::error::raise;
use crate::session::Session;

pub(super) fn register(conn: &Connection, session: &Session) -> Result<()> {
    let state = session.clone();
    // Settings hold still while policies and filters are asked.
    conn.create_scalar_function("ts_setting", 2, PURE, move |call: &Context<'_>| {
        let Some(name) = text(call, 0)? else { return Ok(None) };
        match state.setting(name) {
            None if !call.get::<Option<bool>>(1)?.unwrap_or_default() => Err(raise(&unknown(name))),
            found => Ok(found),
        }
    })?;
    let state = session.clone();
    conn.create_scalar_function("ts_set_setting", 2, FRESH, move |call: &Context<'_>| {
        let value = text(call, 1)?.unwrap_or_default().to_owned();
        match text(call, 0)? {
            Some(name) if name.contains('.') => state.set_setting(name, value.clone()),
            name => return Err(raise(&unknown(name.unwrap_or_default()))),
        }
        Ok(value)
    })
}

fn unknown(name: &str) -> Error {
    let message = format!("unrecognized configuration parameter \"{name}\"");
    Error::new(ErrorKind::NotFound, "42704", message)
}
