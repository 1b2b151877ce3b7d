//! JSON in and out: `json_populate_recordset` and `to_json` of PostgreSQL.

use serde_json::value::RawValue;

use super::json_lexer::{invalid, unescape};
use super::text::{push_date, push_hexadecimal, push_moment, push_time, push_timestamp};
use super::{Type, Value, array, float, interval, jsonb};
use crate::{Error, ErrorKind, Result};

impl Value {
    /// Reads a value of type `ty` from a JSON text, exactly: numbers never pass through a double.
    ///
    /// As in `json_populate_recordset`, scalars are coerced through their text, `json` and `jsonb`
    /// take any JSON but null, arrays take JSON arrays or array literals.
    ///
    /// # Errors
    /// Those of [`Value::parse`]; 22P02 for what is not JSON.
    pub fn from_json(ty: &Type, json: &str) -> Result<Value> {
        let json = json.trim_matches([' ', '\t', '\n', '\r']);
        if json == "null" {
            return Ok(Value::Null);
        }
        match ty {
            Type::Json => return written(json).map(|()| Value::Json(json.to_owned())),
            Type::Jsonb => return jsonb::normalize(json).map(Value::Json),
            Type::Array(element) if !json.starts_with('"') => {
                return array_from_json(array::innermost(element), json);
            }
            _ => {}
        }
        match json.as_bytes().first() {
            Some(b'"') => {
                jsonb::validate(json)?;
                Value::parse(ty, &unescape(json)?)
            }
            _ => Value::parse(ty, json),
        }
    }

    /// [`Value::from_json`] of JSON that was checked already.
    ///
    /// # Errors
    /// Those of [`Value::from_json`].
    pub fn from_raw_json(ty: &Type, json: &RawValue) -> Result<Value> {
        match (ty, json.get()) {
            (Type::Json | Type::Jsonb | Type::Array(_), json) => Value::from_json(ty, json),
            (_, json) if json.starts_with('"') => Value::parse(ty, &unescape(json)?),
            (_, json) => Value::from_json(ty, json),
        }
    }

    /// The JSON that PostgreSQL's `to_json` makes of it; numbers exact.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Appends [`Value::to_json`].
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(_) | Value::Uuid(_) => push_plain(out, self),
            Value::Float(value) => push_number(out, &float::text(*value)),
            Value::Decimal(text) => push_number(out, text),
            Value::Text(text) => push_string(out, text),
            Value::Json(text) => out.push_str(text),
            Value::Bytes(bytes) => {
                let mut text = String::new();
                push_hexadecimal(&mut text, bytes);
                push_string(out, &text);
            }
            Value::Timestamptz(micros) => quoted(out, |out| push_moment(out, *micros, 'T', true)),
            Value::Timestamp(micros) => quoted(out, |out| push_timestamp(out, *micros, 'T', |_| {})),
            Value::Date(days) => quoted(out, |out| push_date(out, *days)),
            Value::Time(micros) => quoted(out, |out| push_time(out, *micros)),
            Value::Interval { months, days, micros } => {
                quoted(out, |out| out.push_str(&interval::text(*months, *days, *micros)));
            }
            Value::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    element.write_json(out);
                }
                out.push(']');
            }
        }
    }

    /// [`Value::to_json`] of a value of a known type: a `real` is printed in its own precision.
    pub fn to_json_as(&self, ty: &Type) -> String {
        match (self, ty) {
            (Value::Float(value), Type::Float4) => {
                let mut out = String::new();
                push_number(&mut out, &float::text_of_real(*value));
                out
            }
            (Value::Array(elements), Type::Array(element)) if *array::innermost(element) == Type::Float4 => {
                let ty =
                    if elements.iter().any(|value| matches!(value, Value::Array(_))) { ty } else { element };
                let elements: Vec<String> = elements.iter().map(|value| value.to_json_as(ty)).collect();
                format!("[{}]", elements.join(","))
            }
            _ => self.to_json(),
        }
    }
}

/// Appends a JSON string, escaped as PostgreSQL does: only what must be.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    // Most texts need no escape; without an early end the compiler looks at many bytes at once.
    let escapes = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |any, byte| any | escapes(byte)) {
        out.push_str(text);
        return out.push('"');
    }
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..=0x1F => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        if escape.is_empty() {
            out.push_str("\\u00");
            out.push(char::from(b'0' + (byte >> 4)));
            out.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Appends the text of a number; `NaN` and the infinities are no JSON numbers, PostgreSQL quotes them.
pub fn push_number(out: &mut String, text: &str) {
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        out.push_str(text);
    } else {
        push_string(out, text);
    }
}

/// Text that needs no escaping: bare for integers, quoted for UUIDs.
fn push_plain(out: &mut String, value: &Value) {
    let write = |out: &mut String| {
        value.write_text(out);
    };
    match value {
        Value::Int(_) => write(out),
        _ => quoted(out, write),
    }
}

fn quoted(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push('"');
    write(out);
    out.push('"');
}

/// Checks JSON that is kept as written; what means no text is refused here, as PostgreSQL does.
fn written(json: &str) -> Result<()> {
    if json.contains("\\u") { jsonb::normalize(json).map(|_| ()) } else { jsonb::validate(json) }
}

/// An array of as many dimensions as the first elements show.
fn array_from_json(element: &Type, json: &str) -> Result<Value> {
    jsonb::validate(json)?;
    let mut dimensions = 0;
    let mut first = json;
    while first.starts_with('[') {
        dimensions += 1;
        first = first[1..].trim_start();
    }
    if dimensions > array::MAX_DIMENSIONS {
        return Err(array::too_many_dimensions(dimensions));
    }
    let elements = dimension(element, json, dimensions)?;
    if !array::rectangular(&elements) {
        return Err(malformed("malformed JSON array")
            .with_details("Multidimensional arrays must have sub-arrays with matching dimensions."));
    }
    Ok(Value::Array(array::without_empty(elements)))
}

fn dimension(element: &Type, json: &str, dimensions: usize) -> Result<Vec<Value>> {
    if !json.starts_with('[') {
        return Err(malformed("expected JSON array"));
    }
    let elements: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| invalid("The input string ended unexpectedly."))?;
    let read = |raw: &&RawValue| match dimensions {
        0 | 1 => Value::from_json(element, raw.get()),
        _ => dimension(element, raw.get(), dimensions - 1).map(Value::Array),
    };
    elements.iter().map(read).collect()
}

fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22P02", message)
}
