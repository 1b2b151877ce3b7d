//! Texts, counted in characters.

use truststream_kernel::value::letters;
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, of_bool, text};

pub(super) fn lower(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(letters::to_lower(text(arguments, 0)?)))
}

pub(super) fn upper(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(letters::to_upper(text(arguments, 0)?)))
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

/// Longest text that is made of another: PostgreSQL's own limit.
const LONGEST: usize = 0x3fff_ffff;

fn too_long() -> Error {
    Error::new(ErrorKind::TooLarge, "54000", "requested length too large")
}

pub(super) fn repeat(arguments: &[Value]) -> Result<Value> {
    let (text, times) = (text(arguments, 0)?, integer(arguments, 1)?);
    let times = usize::try_from(times).unwrap_or(0);
    if text.len().checked_mul(times).is_none_or(|length| length > LONGEST) {
        return Err(too_long());
    }
    Ok(Value::Text(text.repeat(times)))
}

pub(super) fn reverse(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Text(text(arguments, 0)?.chars().rev().collect()))
}

/// The text cut to a length, and what fills it up.
fn padding(arguments: &[Value]) -> Result<(String, String)> {
    let (text, length) = (text(arguments, 0)?, integer(arguments, 1)?);
    let fill = if arguments.len() > 2 { super::text(arguments, 2)? } else { " " };
    let length = usize::try_from(length).unwrap_or(0);
    if length > LONGEST {
        return Err(too_long());
    }
    let cut: String = text.chars().take(length).collect();
    let missing = length - cut.chars().count();
    Ok((cut, fill.chars().cycle().take(missing).collect()))
}

pub(super) fn lpad(arguments: &[Value]) -> Result<Value> {
    padding(arguments).map(|(text, fill)| Value::Text(fill + &text))
}

pub(super) fn rpad(arguments: &[Value]) -> Result<Value> {
    padding(arguments).map(|(text, fill)| Value::Text(text + &fill))
}

pub(super) fn initcap(arguments: &[Value]) -> Result<Value> {
    let mut within = false;
    let mut out = String::new();
    for sign in text(arguments, 0)?.chars() {
        out.push(if within { letters::lower(sign) } else { letters::upper(sign) });
        within = sign.is_alphanumeric();
    }
    Ok(Value::Text(out))
}

/// Signs of the second text become those at the same place of the third, or nothing.
pub(super) fn translate(arguments: &[Value]) -> Result<Value> {
    let (text, from) = (text(arguments, 0)?, super::text(arguments, 1)?);
    let to: Vec<char> = super::text(arguments, 2)?.chars().collect();
    let translated = text.chars().filter_map(|sign| match from.chars().position(|one| one == sign) {
        Some(place) => to.get(place).copied(),
        None => Some(sign),
    });
    Ok(Value::Text(translated.collect()))
}

pub(super) fn ascii(arguments: &[Value]) -> Result<Value> {
    let first = text(arguments, 0)?.chars().next();
    Ok(Value::Int(first.map_or(0, |sign| i64::from(u32::from(sign)))))
}

pub(super) fn chr(arguments: &[Value]) -> Result<Value> {
    let code = integer(arguments, 0)?;
    let sign = u32::try_from(code).ok().filter(|code| *code > 0).and_then(char::from_u32);
    sign.map(|sign| Value::Text(sign.into())).ok_or_else(|| {
        let message = if code == 0 {
            "null character not permitted".to_owned()
        } else {
            format!("requested character too large for encoding: {code}")
        };
        Error::new(ErrorKind::InvalidInput, "54000", message)
    })
}

/// `bit_length(text)`
pub(super) fn bit_length(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(i64::try_from(text(arguments, 0)?.len() * 8).unwrap_or(i64::MAX)))
}

/// `overlay(text placing other from place for length)`: without a length as many as the other has.
pub(super) fn overlay(arguments: &[Value]) -> Result<Value> {
    let (text, other, from) = (text(arguments, 0)?, super::text(arguments, 1)?, integer(arguments, 2)?);
    let length = if arguments.len() > 3 { integer(arguments, 3)? } else { count(other) };
    if from <= 0 {
        return Err(Error::new(ErrorKind::InvalidInput, "22011", "negative substring length not allowed"));
    }
    let end = from.saturating_add(length);
    Ok(Value::Text(format!("{}{other}{}", between(text, 1, from), between(text, end, i64::MAX))))
}
