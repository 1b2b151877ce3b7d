//! Rows as JSON or as values, written cell by cell from where SQLite holds them.
//!
//! The JSON is what `json_group_array(json_object(…))` would make of them; a scalar function call a
//! cell and a second copy of every row are what it saves.

use std::io::Write;
use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::{Type as CellType, ValueRef};
use truststream_kernel::value::json::{push_number, push_string};
use truststream_kernel::value::{Cell, Rows};
use truststream_kernel::{Result, Type, Value};
use truststream_spool::{IN_MEMORY, Spool, failed};

use crate::connection::Conn;
use crate::error::convert;
use crate::plan::{Out, Statement};
use crate::storage;

/// Room for a small page, so that its text is not moved while it grows.
const PAGE: usize = 4096;

/// The rows of a statement as one JSON array, and their number. Where it may be spooled, what is in memory
/// is its end, and the spool has what comes before.
pub(crate) fn json(conn: &Conn, statement: &Statement, spools: bool) -> Result<(String, Option<Spool>, u64)> {
    let mut prepared = conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
    let mut rows = prepared.query(params_from_iter(&statement.parameters)).map_err(convert)?;
    let mut out = String::with_capacity(PAGE);
    let mut spool = None;
    let mut count = 0;
    out.push('[');
    while let Some(row) = rows.next().map_err(convert)? {
        out.push_str(if count == 0 { "{" } else { ",{" });
        for (at, field) in statement.fields.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&field.key);
            shown(&mut out, row.get_ref(at).map_err(convert)?, field)?;
        }
        out.push('}');
        count += 1;
        if spools && out.len() >= IN_MEMORY {
            spill(&mut out, &mut spool)?;
        }
    }
    out.push(']');
    Ok((out, spool, count))
}

/// Moves what was written to the spool.
pub(crate) fn spill(out: &mut String, spool: &mut Option<Spool>) -> Result<()> {
    spool.get_or_insert_default().write_all(out.as_bytes()).map_err(failed)?;
    out.clear();
    Ok(())
}

/// The rows of a statement as values.
pub(crate) fn values(conn: &Conn, statement: &Statement) -> Result<Rows> {
    let mut prepared = conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
    let mut rows = prepared.query(params_from_iter(&statement.parameters)).map_err(convert)?;
    let mut values = Rows::new(Arc::clone(&statement.names));
    while let Some(row) = rows.next().map_err(convert)? {
        for (at, field) in statement.fields.iter().enumerate() {
            let (value, ty) = (row.get_ref(at).map_err(convert)?, &field.term.ty);
            match (value, ty) {
                (ValueRef::Null, _) => values.push(Cell::Null),
                (ValueRef::Integer(number), Type::Int2 | Type::Int4 | Type::Int8) => {
                    values.push(Cell::Int(number));
                }
                (ValueRef::Integer(number), Type::Bool) => values.push(Cell::Bool(number != 0)),
                (ValueRef::Real(number), Type::Float8) if number.is_finite() => {
                    values.push(Cell::Float(number));
                }
                (ValueRef::Text(_), Type::Text | Type::Varchar(_) | Type::Enum(_) | Type::Uuid) => {
                    values.push(Cell::Text(text(value)?));
                }
                _ => values.push_json(|out| shown(out, value, field))?,
            }
        }
    }
    Ok(values)
}

/// Appends a cell of a field.
fn shown(out: &mut String, value: ValueRef<'_>, field: &Out) -> Result<()> {
    match &field.record {
        Some(composite) if value.data_type() == CellType::Text => {
            out.push_str(&composite.to_json(text(value)?)?);
            Ok(())
        }
        _ => cell(out, value, &field.term.ty),
    }
}

/// Appends a cell of a column of type `ty`.
fn cell(out: &mut String, cell: ValueRef<'_>, ty: &Type) -> Result<()> {
    match (cell.data_type(), ty) {
        (CellType::Text, ty) if storage::is_of_session(ty) => {
            out.push_str(&storage::value(cell, ty)?.to_json_as(ty));
        }
        (CellType::Null, _) => out.push_str("null"),
        (CellType::Text, Type::Json | Type::Jsonb) => out.push_str(text(cell)?),
        (CellType::Text, Type::Array(element)) if **element != Type::Float4 => out.push_str(text(cell)?),
        (CellType::Text, Type::Numeric(_)) => push_number(out, text(cell)?),
        (
            CellType::Text,
            Type::Text
            | Type::Varchar(_)
            | Type::Char(_)
            | Type::Enum(_)
            | Type::Other(_)
            | Type::Uuid
            | Type::Date
            | Type::Time
            | Type::Interval,
        ) => push_string(out, text(cell)?),
        _ => match storage::value(cell, ty)? {
            value @ Value::Array(_) => out.push_str(&value.to_json_as(ty)),
            value @ Value::Float(_) if *ty == Type::Float4 => out.push_str(&value.to_json_as(ty)),
            value => value.write_json(out),
        },
    }
    Ok(())
}

fn text(cell: ValueRef<'_>) -> Result<&str> {
    cell.as_str().map_err(|error| {
        truststream_kernel::Error::internal("the database holds a text that is not UTF-8").with_source(error)
    })
}
