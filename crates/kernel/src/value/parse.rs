//! PostgreSQL's text input of every type.

use uuid::Uuid;

use super::range::{self, Range};
use super::tsvector::Vector;
use super::{Type, Value, array, datetime, decimal, fault, interval, jsonb, money, zone};
use crate::{Error, ErrorKind, Result};

impl Value {
    /// Reads a value of type `ty` from a text, as liberally as PostgreSQL's input functions do.
    ///
    /// Enum labels and types told apart by name only are taken as they are: the catalog or the
    /// engine checks them.
    ///
    /// # Errors
    /// PostgreSQL's codes and messages: `invalid input syntax for type integer: "abc"` (22P02),
    /// values out of range (22003, 22008), texts too long (22001).
    pub fn parse(ty: &Type, text: &str) -> Result<Value> {
        match ty {
            Type::Bool => boolean(text).map(Value::Bool),
            Type::Int2 => integer("smallint", text, i16::MIN.into(), i16::MAX.into()),
            Type::Int4 => integer("integer", text, i32::MIN.into(), i32::MAX.into()),
            Type::Int8 => integer("bigint", text, i64::MIN, i64::MAX),
            Type::Float4 => float4(text).map(Value::Float),
            Type::Float8 => float8(text).map(Value::Float),
            Type::Numeric(None) => decimal::canonical(text).map(Value::Decimal),
            Type::Numeric(Some((precision, scale))) => {
                decimal::rounded(&decimal::canonical(text)?, *precision, *scale).map(Value::Decimal)
            }
            Type::Varchar(Some(length)) => limited(no_nul(text)?, *length as usize, ty).map(Value::Text),
            Type::Char(length) => padded(no_nul(text)?, *length as usize, ty).map(Value::Text),
            Type::Text | Type::Varchar(None) | Type::Enum(_) => Ok(Value::Text(no_nul(text)?.to_owned())),
            Type::Other(_) => other(ty, no_nul(text)?).map(Value::Text),
            Type::Bytes => bytes(text).map(Value::Bytes),
            Type::Uuid => uuid(text).map(Value::Uuid),
            Type::Timestamptz => datetime::timestamptz(text),
            Type::Timestamp => datetime::timestamp(text),
            Type::Date => datetime::date(text),
            Type::Time => datetime::time(text),
            Type::Interval => interval::parse(text),
            Type::Json => jsonb::validate(text).map(|()| Value::Json(text.to_owned())),
            Type::Jsonb => jsonb::normalize(text).map(Value::Json),
            Type::Array(element) => array::parse(element, text),
        }
    }
}

fn no_nul(text: &str) -> Result<&str> {
    if text.contains('\0') {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "22021",
            "invalid byte sequence for encoding \"UTF8\": 0x00",
        ));
    }
    Ok(text)
}

/// Types told apart by name only, of which some have a canonical form.
fn other(ty: &Type, text: &str) -> Result<String> {
    match (range::element(ty), ty) {
        (Some(element), _) => {
            let range = Range::parse(&element, text)?;
            // One range has one text, wherever its session is.
            Ok(zone::within(None, || range.to_text()))
        }
        (None, Type::Other(name)) if name == "tsvector" => Ok(Vector::parse(text)?.to_text()),
        (None, Type::Other(name)) if name == "money" => money::canonical(text),
        _ => Ok(text.to_owned()),
    }
}

fn boolean(text: &str) -> Result<bool> {
    let word = text.trim_matches(super::is_space).to_ascii_lowercase();
    let prefix_of = |full: &str, shortest: usize| word.len() >= shortest && full.starts_with(&word);
    if prefix_of("true", 1) || prefix_of("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(fault::syntax("boolean", text))
    }
}

fn integer(type_name: &str, text: &str, low: i64, high: i64) -> Result<Value> {
    let trimmed = text.trim_matches(super::is_space);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault::syntax(type_name, text));
    }
    match trimmed.parse::<i64>() {
        Ok(value) if (low..=high).contains(&value) => Ok(Value::Int(value)),
        _ => {
            Err(fault::number_out_of_range(format!("value \"{text}\" is out of range for type {type_name}")))
        }
    }
}

fn float8(text: &str) -> Result<f64> {
    let value: f64 = float_text(text).parse().map_err(|_| fault::syntax("double precision", text))?;
    in_range(value, text, "double precision")
}

/// A `real` is held as the double of its shortest decimal text, so `0.1` stays `0.1`.
fn float4(text: &str) -> Result<f64> {
    let value: f32 = float_text(text).parse().map_err(|_| fault::syntax("real", text))?;
    in_range(super::real_as_double(value), text, "real")
}

/// Only what PostgreSQL takes too: Rust's own parser knows no other words than these.
fn float_text(text: &str) -> &str {
    text.trim_matches(super::is_space)
}

fn in_range(value: f64, text: &str, type_name: &str) -> Result<f64> {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let vanished = value == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
    let exploded = value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    if vanished || exploded {
        let shown = float_text(text);
        return Err(fault::number_out_of_range(format!("\"{shown}\" is out of range for type {type_name}")));
    }
    Ok(value)
}

/// At most `length` characters; spaces beyond are cut off.
fn limited(text: &str, length: usize, ty: &Type) -> Result<String> {
    match text.char_indices().nth(length) {
        Some((end, _)) if text[end..].bytes().all(|byte| byte == b' ') => Ok(text[..end].to_owned()),
        Some(_) => Err(fault::too_long(&ty.sql_name())),
        None => Ok(text.to_owned()),
    }
}

fn padded(text: &str, length: usize, ty: &Type) -> Result<String> {
    let mut out = limited(text, length, ty)?;
    let missing = length.saturating_sub(out.chars().count());
    out.extend(std::iter::repeat_n(' ', missing));
    Ok(out)
}

/// Hyphens after any group of four digits, and braces, are optional.
fn uuid(text: &str) -> Result<Uuid> {
    let invalid = || fault::syntax("uuid", text);
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(invalid)?,
        None => text,
    };
    let mut digits = String::with_capacity(32);
    let mut may_be_hyphen = false;
    for c in inner.chars() {
        match c {
            '-' if may_be_hyphen => may_be_hyphen = false,
            _ if c.is_ascii_hexdigit() && digits.len() < 32 => {
                digits.push(c);
                may_be_hyphen = digits.len().is_multiple_of(4) && digits.len() < 32;
            }
            _ => return Err(invalid()),
        }
    }
    Uuid::try_parse(&digits).map_err(|_| invalid())
}

/// `\x…` in hexadecimal, anything else in the escape format.
fn bytes(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => hexadecimal(digits),
        None => escaped(text),
    }
}

fn hexadecimal(digits: &str) -> Result<Vec<u8>> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidInput, "22023", message);
    let odd = || invalid("invalid hexadecimal data: odd number of digits".to_owned());
    let nibble = |c: char| {
        c.to_digit(16)
            .map(|digit| digit as u8)
            .ok_or_else(|| invalid(format!("invalid hexadecimal digit: \"{c}\"")))
    };
    let mut out = Vec::with_capacity(digits.len() / 2);
    let mut chars = digits.chars();
    while let Some(c) = chars.next() {
        // White space may stand between bytes, not within one.
        if matches!(c, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high = nibble(c)?;
        out.push(high << 4 | nibble(chars.next().ok_or_else(odd)?)?);
    }
    Ok(out)
}

fn escaped(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        (rest, out) = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => (after, push(out, b'\\')),
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                (after, push(out, (a - b'0') << 6 | (b - b'0') << 3 | (c - b'0')))
            }
            (b'\\', _) => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "22P02",
                    "invalid input syntax for type bytea",
                ));
            }
            (byte, _) => (after, push(out, *byte)),
        };
    }
    Ok(out)
}

fn push(mut out: Vec<u8>, byte: u8) -> Vec<u8> {
    out.push(byte);
    out
}
