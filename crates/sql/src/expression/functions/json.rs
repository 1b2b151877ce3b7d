//! JSON documents, and arrays, which are stored as JSON.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Error, Result, Value};

use super::{integer, of_bool, text};

fn elements(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn strings(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|error| Error::internal("an array was expected").with_source(error))
}

/// A JSON scalar as the cell a column of its type has.
fn cell(json: &RawValue) -> Result<Value> {
    let json = json.get();
    Ok(match json.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Int(1),
        Some(b'f') => Value::Int(0),
        Some(b'"') => Value::Text(unquoted(json)),
        _ => json.parse().map_or_else(|_| Value::Text(json.to_owned()), Value::Int),
    })
}

fn unquoted(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_default()
}

/// `array[index]`, counted from 1.
pub(super) fn element(arguments: &[Value]) -> Result<Value> {
    let elements = elements(text(arguments, 0)?).unwrap_or_default();
    let index = usize::try_from(integer(arguments, 1)?).ok().and_then(|index| index.checked_sub(1));
    index.and_then(|index| elements.get(index)).map_or(Ok(Value::Null), |element| cell(element))
}

/// `value = any(array)`: null if it is not among them but a null is.
pub(super) fn any(arguments: &[Value]) -> Result<Value> {
    let mut result = of_bool(false);
    for element in elements(text(arguments, 1)?).unwrap_or_default() {
        match cell(element)? {
            Value::Null => result = Value::Null,
            element if element == arguments[0] => return Ok(of_bool(true)),
            _ => {}
        }
    }
    Ok(result)
}

/// `document #> path` and, with 1 as the last argument, `#>>`.
pub(super) fn path(arguments: &[Value]) -> Result<Value> {
    let mut document = text(arguments, 0)?;
    for key in strings(text(arguments, 1)?)? {
        let found = match document.trim_start().as_bytes().first() {
            Some(b'{') => member(document, &key),
            Some(b'[') => key.parse().ok().and_then(|index| at(document, index)),
            _ => None,
        };
        let Some(found) = found else { return Ok(Value::Null) };
        document = found.get();
    }
    let as_text = integer(arguments, 2)? == 1;
    Ok(match document.trim_start().as_bytes().first() {
        Some(b'n') if as_text => Value::Null,
        Some(b'"') if as_text => Value::Text(unquoted(document)),
        _ => Value::Text(document.to_owned()),
    })
}

fn member<'a>(document: &'a str, key: &str) -> Option<&'a RawValue> {
    serde_json::from_str::<IndexMap<String, &RawValue>>(document).ok()?.swap_remove(key)
}

fn at(document: &str, index: i64) -> Option<&RawValue> {
    let elements = elements(document)?;
    let length = i64::try_from(elements.len()).ok()?;
    let index = if index < 0 { index + length } else { index };
    elements.get(usize::try_from(index).ok()?).copied()
}

/// Whether a key of an object, a string among an array's elements, or the string itself.
fn holds(document: &str, key: &str) -> bool {
    match document.trim_start().as_bytes().first() {
        Some(b'{') => member(document, key).is_some(),
        Some(b'[') => elements(document).is_some_and(|all| {
            all.iter().any(|one| one.get().starts_with('"') && unquoted(one.get()) == key)
        }),
        Some(b'"') => unquoted(document) == key,
        _ => false,
    }
}

pub(super) fn has_key(arguments: &[Value]) -> Result<Value> {
    Ok(of_bool(holds(text(arguments, 0)?, text(arguments, 1)?)))
}

pub(super) fn has_any_key(arguments: &[Value]) -> Result<Value> {
    let document = text(arguments, 0)?;
    Ok(of_bool(strings(text(arguments, 1)?)?.iter().any(|key| holds(document, key))))
}

pub(super) fn has_all_keys(arguments: &[Value]) -> Result<Value> {
    let document = text(arguments, 0)?;
    Ok(of_bool(strings(text(arguments, 1)?)?.iter().all(|key| holds(document, key))))
}

/// What kind of JSON a document is.
pub(super) fn type_name(arguments: &[Value]) -> Result<Value> {
    let name = match text(arguments, 0)?.trim_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    };
    Ok(Value::Text(name.into()))
}
