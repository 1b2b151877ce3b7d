//! Texts, counted in characters.

use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, of_bool, text};

pub(super) fn lower(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(text(arguments, 0)?.to_lowercase()))
}

pub(super) fn upper(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(text(arguments, 0)?.to_uppercase()))
}

pub(super) fn length(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(count(text(arguments, 0)?)))
}

fn count(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// Characters from position `from` (counted from 1) up to but without `end`.
fn between(text: &str, from: i64, end: i64) -> String {
    let skip = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
    let take = usize::try_from(end.saturating_sub(from.max(1))).unwrap_or(0);
    text.chars().skip(skip).take(take).collect()
}

pub(super) fn substring(arguments: &[Value]) -> Result<Value> {
    let (text, from) = (text(arguments, 0)?, integer(arguments, 1)?);
    let end = match arguments.len() {
        2 => i64::MAX,
        _ => {
            let length = integer(arguments, 2)?;
            if length < 0 {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "22011",
                    "negative substring length not allowed",
                ));
            }
            from.saturating_add(length)
        }
    };
    Ok(Value::Text(between(text, from, end)))
}

pub(super) fn left(arguments: &[Value]) -> Result<Value> {
    let (text, wanted) = (text(arguments, 0)?, integer(arguments, 1)?);
    let end = if wanted < 0 { count(text) + wanted } else { wanted };
    Ok(Value::Text(between(text, 1, end.saturating_add(1))))
}

pub(super) fn right(arguments: &[Value]) -> Result<Value> {
    let (text, wanted) = (text(arguments, 0)?, integer(arguments, 1)?);
    let skipped = if wanted < 0 { wanted.saturating_neg() } else { (count(text) - wanted).max(0) };
    Ok(Value::Text(between(text, skipped.saturating_add(1), i64::MAX)))
}

pub(super) fn starts_with(arguments: &[Value]) -> Result<Value> {
    Ok(of_bool(text(arguments, 0)?.starts_with(text(arguments, 1)?)))
}

pub(super) fn split_part(arguments: &[Value]) -> Result<Value> {
    let (text, separator, wanted) = (text(arguments, 0)?, text(arguments, 1)?, integer(arguments, 2)?);
    if wanted == 0 {
        return Err(Error::invalid_input("field position must not be zero"));
    }
    let parts: Vec<&str> = if separator.is_empty() { vec![text] } else { text.split(separator).collect() };
    let place = usize::try_from(wanted.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let part = if wanted > 0 { parts.get(place) } else { parts.iter().rev().nth(place) };
    Ok(Value::Text(part.copied().unwrap_or_default().to_owned()))
}

/// What follows the last slash of an object's name.
pub(super) fn filename(arguments: &[Value]) -> Result<Value> {
    let name = text(arguments, 0)?;
    Ok(Value::Text(name.rsplit('/').next().unwrap_or(name).to_owned()))
}

/// What follows the last dot of an object's file name; the whole of it if there is none.
pub(super) fn extension(arguments: &[Value]) -> Result<Value> {
    let name = text(arguments, 0)?;
    let file = name.rsplit('/').next().unwrap_or(name);
    Ok(Value::Text(file.rsplit('.').next().unwrap_or(file).to_owned()))
}
