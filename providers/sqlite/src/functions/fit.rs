//! Whether a computed value fits the column it goes into.

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::{Error, ErrorKind};

use super::{PURE, owned, text};
use crate::error::raise;

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_scalar_function("ts_fit_text", 3, PURE, |call: &Context<'_>| {
        let (length, ty): (i64, String) = (call.get(1)?, call.get(2)?);
        let Some(given) = text(call, 0)? else { return Ok(None) };
        let kept: String = given.chars().take(usize::try_from(length).unwrap_or(usize::MAX)).collect();
        // Blanks beyond the length are cut off, as PostgreSQL does.
        if given[kept.len()..].chars().any(|c| c != ' ') {
            let message = format!("value too long for type {ty}({length})");
            return Err(raise(&Error::new(ErrorKind::InvalidInput, "22001", message)));
        }
        Ok(Some(owned(kept)))
    })?;
    conn.create_scalar_function("ts_fit_integer", 2, PURE, |call: &Context<'_>| {
        let (number, ty): (Option<i64>, String) = (call.get(0)?, call.get(1)?);
        let fits = |number: &i64| match ty.as_str() {
            "smallint" => i16::try_from(*number).is_ok(),
            _ => i32::try_from(*number).is_ok(),
        };
        if number.as_ref().is_some_and(|number| !fits(number)) {
            let message = format!("{ty} out of range");
            return Err(raise(&Error::new(ErrorKind::InvalidInput, "22003", message)));
        }
        Ok(number)
    })
}
