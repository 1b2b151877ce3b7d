//! Values of composite types, which lie in the file as texts.

use rusqlite::functions::Context;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, Result};
use truststream_kernel::Value;
use truststream_sql::composite::{Composite, nulls};

use super::{FRESH, PURE, text};
use crate::error::raise;
use crate::storage;

/// What a function makes of the text of a value, or of what is written as one.
type Made = fn(&Composite, &str) -> truststream_kernel::Result<String>;

pub(super) fn register(conn: &Connection) -> Result<()> {
    // What is read and shown of moments depends on the session's time zone.
    let made: [(&str, Made, _); 4] = [
        ("ts_record_json", Composite::to_json, FRESH),
        ("ts_record_shown", Composite::shown, FRESH),
        ("ts_record_read", Composite::parse, FRESH),
        ("ts_record_key", Composite::key, PURE),
    ];
    for (name, make, flags) in made {
        conn.create_scalar_function(name, 2, flags, move |call: &Context<'_>| -> Result<Option<String>> {
            let composite = described(call)?;
            let Some(value) = text(call, 0)? else { return Ok(None) };
            make(&composite, value).map(Some).map_err(|error| raise(&error))
        })?;
    }
    conn.create_scalar_function("ts_record_get", 3, PURE, |call: &Context<'_>| -> Result<Cell> {
        let composite = described(call)?;
        let (Some(value), Some(field)) = (text(call, 0)?, text(call, 2)?) else { return Ok(Cell::Null) };
        let field = composite.get(value, field).and_then(|value| storage::cell(&value));
        field.map_err(|error| raise(&error))
    })?;
    conn.create_scalar_function("ts_record", -1, PURE, |call: &Context<'_>| -> Result<String> {
        let composite = described(call)?;
        let types = composite.types();
        let cells = types.iter().enumerate().map(|(at, ty)| match at {
            0 => storage::value(call.get_raw(0), ty),
            // The description is the second argument.
            _ => storage::value(call.get_raw(at + 1), ty),
        });
        let values: truststream_kernel::Result<Vec<Value>> = cells.collect();
        values.map(|values| composite.of_values(&values)).map_err(|error| raise(&error))
    })?;
    conn.create_scalar_function("ts_record_nulls", 2, PURE, |call: &Context<'_>| -> Result<bool> {
        let wants_nulls: bool = call.get(1)?;
        let Some(value) = text(call, 0)? else { return Ok(wants_nulls) };
        let (all, none) = nulls(value).map_err(|error| raise(&error))?;
        Ok(if wants_nulls { all } else { none })
    })
}

/// The type that the second argument describes.
fn described(call: &Context<'_>) -> Result<std::sync::Arc<Composite>> {
    call.get_or_create_aux(1, |description| {
        let text = description.as_str().map_err(boxed)?;
        Composite::described(text)
            .map_err(|error| -> Box<dyn std::error::Error + Send + Sync> { Box::new(error) })
    })
}

fn boxed(error: rusqlite::types::FromSqlError) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}
