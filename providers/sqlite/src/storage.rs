//! How values lie in SQLite.

use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use truststream_kernel::value::range::Range;
use truststream_kernel::value::zone;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};

/// The cell that holds a value.
pub(crate) fn cell(value: &Value) -> Result<Cell> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Integer(i64::from(*value)),
        Value::Int(value) | Value::Timestamptz(value) | Value::Timestamp(value) => Cell::Integer(*value),
        Value::Float(value) if value.is_nan() => {
            return Err(Error::new(ErrorKind::Unsupported, "0A000", "NaN can't be stored in this database"));
        }
        Value::Float(value) => Cell::Real(*value),
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => Cell::Text(text.clone()),
        Value::Bytes(bytes) => Cell::Blob(bytes.clone()),
        Value::Array(_) => Cell::Text(zone::within(None, || value.to_json())),
        Value::Uuid(_) | Value::Date(_) | Value::Time(_) | Value::Interval { .. } => {
            Cell::Text(value.to_text().unwrap_or_default())
        }
    })
}

/// The same, without a copy of what is text or bytes.
pub(crate) fn bound(value: &Value) -> Result<ToSqlOutput<'_>> {
    Ok(match value {
        Value::Decimal(text) | Value::Text(text) | Value::Json(text) => {
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
        Value::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        _ => ToSqlOutput::Owned(cell(value)?),
    })
}

/// The value that a cell of a column of type `ty` holds.
pub(crate) fn value(cell: ValueRef<'_>, ty: &Type) -> Result<Value> {
    Ok(match (cell, ty) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), Type::Bool) => Value::Bool(number != 0),
        (ValueRef::Integer(number), Type::Timestamptz) => Value::Timestamptz(number),
        (ValueRef::Integer(number), Type::Timestamp) => Value::Timestamp(number),
        (ValueRef::Integer(number), Type::Float4 | Type::Float8) => Value::Float(number as f64),
        (ValueRef::Integer(number), Type::Int2 | Type::Int4 | Type::Int8) => Value::Int(number),
        (ValueRef::Integer(number), _) => Value::parse(ty, &number.to_string())?,
        (ValueRef::Real(number), Type::Float4 | Type::Float8) => Value::Float(number),
        (ValueRef::Real(number), _) => Value::parse(ty, &number.to_string())?,
        (ValueRef::Blob(bytes), _) => Value::Bytes(bytes.to_vec()),
        (ValueRef::Text(text), ty) => of_text(std::str::from_utf8(text).map_err(corrupt)?, ty)?,
    })
}

/// Whether a text in the file is shown otherwise in another time zone.
pub(crate) fn is_of_session(ty: &Type) -> bool {
    match ty {
        Type::Array(element) => **element == Type::Timestamptz,
        Type::Other(name) => name == "tstzrange",
        _ => false,
    }
}

fn of_text(text: &str, ty: &Type) -> Result<Value> {
    match ty {
        // They were read and checked when they were written.
        Type::Numeric(_) => Ok(Value::Decimal(text.to_owned())),
        Type::Json | Type::Jsonb => Ok(Value::Json(text.to_owned())),
        Type::Other(_) if is_of_session(ty) => {
            Range::parse(&Type::Timestamptz, text).map(|range| Value::Text(range.to_text()))
        }
        Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Enum(_) | Type::Other(_) => {
            Ok(Value::Text(text.to_owned()))
        }
        Type::Array(_) => Value::from_json(ty, text),
        _ => Value::parse(ty, text),
    }
}

fn corrupt(error: std::str::Utf8Error) -> Error {
    Error::internal("the database holds a text that is not UTF-8").with_source(error)
}
