//! Values as JSON, and steps into JSON.

use std::ffi::c_uint;

use indexmap::IndexMap;
use rusqlite::functions::Context;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, Result};
use serde_json::value::RawValue;
use truststream_kernel::value::zone;
use truststream_kernel::{Error, ErrorKind, Type, Value};

use super::{FRESH, JSON, PURE, owned, text};
use crate::error::raise;
use crate::storage;

type Output = (ToSqlOutput<'static>, Option<c_uint>);

/// What tells SQLite's JSON functions that a text is JSON already.
const SUBTYPE: Option<c_uint> = Some(b'J' as c_uint);

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_scalar_function("ts_raw", 1, JSON, raw)?;
    conn.create_scalar_function("ts_bool", 1, JSON, |call: &Context<'_>| -> Result<Output> {
        Ok(match call.get_raw(0) {
            ValueRef::Integer(0) => json("false".to_owned()),
            ValueRef::Integer(_) => json("true".to_owned()),
            _ => null(),
        })
    })?;
    conn.create_scalar_function("ts_json", 2, JSON, |call: &Context<'_>| -> Result<Output> {
        let ty = call.get_or_create_aux(1, |name| name.as_str().map(Type::parse).map_err(boxed))?;
        match storage::value(call.get_raw(0), &ty).map_err(|error| raise(&error))? {
            Value::Null => Ok(null()),
            value => Ok(json(value.to_json_as(&ty))),
        }
    })?;
    // One that depends on the session's time zone must not be kept in an index.
    for (name, flags) in [("ts_cast", PURE), ("ts_session_cast", FRESH)] {
        conn.create_scalar_function(name, 3, flags, |call: &Context<'_>| -> Result<Cell> {
            let from = call.get_or_create_aux(1, |name| name.as_str().map(Type::parse).map_err(boxed))?;
            let to = call.get_or_create_aux(2, |name| name.as_str().map(Type::parse).map_err(boxed))?;
            cast(call.get_raw(0), &from, &to).map_err(|error| raise(&error))
        })?;
    }
    conn.create_scalar_function("ts_get", 3, PURE, |call: &Context<'_>| -> Result<Option<String>> {
        let Some(document) = text(call, 0)? else { return Ok(None) };
        let flags = call.get::<i64>(2)?;
        let (as_text, written) = (flags & 1 != 0, flags & 2 != 0);
        Ok(match call.get_raw(1) {
            // To jsonb a scalar is an array of one.
            ValueRef::Integer(0 | -1) if !written && !document.starts_with(['[', '{']) => {
                step(serde_json::from_str(document).ok(), as_text)
            }
            ValueRef::Integer(index) => step(element(document, index), as_text),
            ValueRef::Text(key) => step(member(document, &String::from_utf8_lossy(key)), as_text),
            _ => None,
        })
    })
}

fn boxed(error: rusqlite::types::FromSqlError) -> Box<dyn std::error::Error + Send + Sync + 'static> {
    Box::new(error)
}

fn raw(call: &Context<'_>) -> Result<Output> {
    Ok(text(call, 0)?.map_or_else(null, |text| json(text.to_owned())))
}

fn json(text: String) -> Output {
    (owned(text), SUBTYPE)
}

fn null() -> Output {
    (ToSqlOutput::Owned(Cell::Null), None)
}

fn cast(cell: ValueRef<'_>, from: &Type, to: &Type) -> truststream_kernel::Result<Cell> {
    let value = storage::value(cell, from)?;
    let text = match (&value, from, to) {
        (Value::Bool(value), _, Type::Int4 | Type::Int8 | Type::Int2) => Some(u8::from(*value).to_string()),
        (Value::Bool(value), _, Type::Text) => Some(value.to_string()),
        (Value::Float(number), _, Type::Int2 | Type::Int4 | Type::Int8) => {
            Some(format!("{:.0}", number.round_ties_even()))
        }
        (Value::Decimal(text), _, Type::Int2 | Type::Int4 | Type::Int8) => {
            Some(truststream_kernel::value::decimal::rounded(text, 1000, 0)?)
        }
        (Value::Timestamptz(micros), _, Type::Timestamp) => return Ok(Cell::Integer(zone::local(*micros))),
        (Value::Timestamp(micros), _, Type::Timestamptz) => {
            return Ok(Cell::Integer(zone::instant(*micros)));
        }
        (Value::Json(text), _, Type::Bool | Type::Int2 | Type::Int4 | Type::Int8 | Type::Numeric(_)) => {
            return storage::cell(&Value::from_json(to, text)?);
        }
        _ => value.to_text_as(from),
    };
    let Some(text) = text else { return Ok(Cell::Null) };
    let told = |error: Error| match (&value, to) {
        (Value::Decimal(_), _) if text == "NaN" => error,
        (Value::Int(_) | Value::Float(_) | Value::Decimal(_), Type::Int2 | Type::Int4 | Type::Int8) => {
            Error::new(ErrorKind::InvalidInput, "22003", format!("{} out of range", to.sql_name()))
        }
        _ => error,
    };
    storage::cell(&Value::parse(to, &text).map_err(told)?)
}

fn member<'a>(document: &'a str, key: &str) -> Option<&'a RawValue> {
    serde_json::from_str::<IndexMap<String, &RawValue>>(document).ok()?.swap_remove(key)
}

fn element(document: &str, index: i64) -> Option<&RawValue> {
    let elements: Vec<&RawValue> = serde_json::from_str(document).ok()?;
    let index = if index < 0 { index + i64::try_from(elements.len()).ok()? } else { index };
    elements.get(usize::try_from(index).ok()?).copied()
}

fn step(found: Option<&RawValue>, as_text: bool) -> Option<String> {
    let text = found?.get();
    match text.as_bytes().first() {
        _ if !as_text => Some(text.to_owned()),
        Some(b'n') => None,
        Some(b'"') => serde_json::from_str(text).ok(),
        _ => Some(text.to_owned()),
    }
}
