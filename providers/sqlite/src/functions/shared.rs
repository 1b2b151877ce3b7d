//! The functions that translated expressions call.

use rusqlite::functions::Context;
use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, Result};
use truststream_kernel::{Error, Value};
use truststream_sql::expression::functions::{FUNCTIONS, Function};

use super::{FRESH, PURE};
use crate::error::raise;

pub(super) fn register(conn: &Connection) -> Result<()> {
    for function in FUNCTIONS {
        let flags = if function.immutable { PURE } else { FRESH };
        conn.create_scalar_function(function.name, function.arguments, flags, move |call: &Context<'_>| {
            run(function, call).map_err(|error| raise(&error))
        })?;
    }
    Ok(())
}

fn run(function: &Function, call: &Context<'_>) -> truststream_kernel::Result<Cell> {
    let arguments = (0..call.len()).map(|at| argument(call.get_raw(at))).collect::<Result<Vec<_>, _>>()?;
    crate::storage::cell(&function.call(&arguments)?)
}

fn argument(cell: ValueRef<'_>) -> truststream_kernel::Result<Value> {
    Ok(match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Float(number),
        ValueRef::Text(text) => Value::Text(
            std::str::from_utf8(text)
                .map_err(|error| Error::internal("a text is not UTF-8").with_source(error))?
                .to_owned(),
        ),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    })
}
