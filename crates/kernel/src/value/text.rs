//! PostgreSQL's text output of every type.

use std::fmt::Write as _;

use super::calendar::{DAY, HOUR, MINUTE, SECOND, date_of};
use super::{Type, Value, array, float, interval, zone};

impl Value {
    /// The text PostgreSQL prints (`DateStyle` ISO, time zone UTC, bytea in hexadecimal); `None`
    /// for null. A `real` that may need an exponent is printed by [`Value::to_text_as`].
    pub fn to_text(&self) -> Option<String> {
        let mut out = String::new();
        self.write_text(&mut out).then_some(out)
    }

    /// The same for a value of a known type: a `real` is printed in its own precision.
    pub fn to_text_as(&self, ty: &Type) -> Option<String> {
        let mut out = String::new();
        self.write_text_as(ty, &mut out).then_some(out)
    }

    /// Appends the text of a value of a known type; `false` for null, which has none.
    pub fn write_text_as(&self, ty: &Type, out: &mut String) -> bool {
        match (self, ty) {
            (Value::Float(value), Type::Float4) => out.push_str(&float::text_of_real(*value)),
            (Value::Array(elements), Type::Array(element)) if *array::innermost(element) == Type::Float4 => {
                write_array(elements, out, &|value, out| match value {
                    Value::Float(value) => out.push_str(&float::text_of_real(*value)),
                    _ => out.push_str("NULL"),
                });
            }
            _ => return self.write_text(out),
        }
        true
    }

    /// Appends the text; `false` for null, which has none.
    pub fn write_text(&self, out: &mut String) -> bool {
        match self {
            Value::Null => return false,
            Value::Bool(value) => out.push(if *value { 't' } else { 'f' }),
            Value::Int(value) => push_integer(out, *value),
            Value::Float(value) => out.push_str(&float::text(*value)),
            Value::Decimal(text) | Value::Text(text) | Value::Json(text) => out.push_str(text),
            Value::Bytes(bytes) => push_hexadecimal(out, bytes),
            Value::Uuid(uuid) => push_display(out, uuid),
            Value::Timestamptz(micros) => push_moment(out, *micros, ' ', false),
            Value::Timestamp(micros) => push_timestamp(out, *micros, ' ', |_| {}),
            Value::Date(days) => push_date(out, *days),
            Value::Time(micros) => push_time(out, *micros),
            Value::Interval { months, days, micros } => {
                out.push_str(&interval::text(*months, *days, *micros))
            }
            Value::Array(elements) => write_array(elements, out, &|element, out| match element.to_text() {
                Some(text) => array::push_element(out, &text),
                None => out.push_str("NULL"),
            }),
        }
        true
    }
}

fn write_array(elements: &[Value], out: &mut String, write: &impl Fn(&Value, &mut String)) {
    out.push('{');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match element {
            Value::Array(inner) => write_array(inner, out, write),
            _ => write(element, out),
        }
    }
    out.push('}');
}

/// `\x…`
pub(super) fn push_hexadecimal(out: &mut String, bytes: &[u8]) {
    out.reserve(2 + bytes.len() * 2);
    out.push_str("\\x");
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
        }
    }
}

/// A moment as clocks of the session's zone show it: `2024-01-01 00:00:00.12+00`, or with minutes
/// of the zone where it has none, too.
pub(super) fn push_moment(out: &mut String, moment: i64, separator: char, minutes: bool) {
    let offset = zone::offset(moment);
    let local = moment.saturating_add(offset * SECOND);
    push_timestamp(out, local, separator, |out| push_offset(out, offset, minutes));
}

/// `+02`, `-03:30`
fn push_offset(out: &mut String, seconds: i64, minutes: bool) {
    let (sign, count) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let (hour, minute, second) = (count / 3_600, count / 60 % 60, count % 60);
    out.push(sign);
    push_two(out, hour as u32);
    if minutes || minute > 0 || second > 0 {
        out.push(':');
        push_two(out, minute as u32);
    }
    if second > 0 {
        out.push(':');
        push_two(out, second as u32);
    }
}

/// `2024-01-01 00:00:00.12` and what `zone` appends, years before Christ with ` BC` at the end.
pub(super) fn push_timestamp(out: &mut String, micros: i64, separator: char, zone: impl Fn(&mut String)) {
    match micros {
        i64::MAX => return out.push_str("infinity"),
        i64::MIN => return out.push_str("-infinity"),
        _ => {}
    }
    let before_christ = push_civil(out, micros.div_euclid(DAY));
    out.push(separator);
    push_time(out, micros.rem_euclid(DAY));
    zone(out);
    out.push_str(before_christ);
}

/// `2024-01-01`
pub(super) fn push_date(out: &mut String, days: i32) {
    match days {
        i32::MAX => return out.push_str("infinity"),
        i32::MIN => return out.push_str("-infinity"),
        _ => {}
    }
    let before_christ = push_civil(out, days.into());
    out.push_str(before_christ);
}

/// Appends the date and returns what must follow the whole text.
fn push_civil(out: &mut String, days: i64) -> &'static str {
    let (year, month, day) = date_of(days);
    let (year, before_christ) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    match u32::try_from(year) {
        Ok(year @ 0..10_000) => {
            push_two(out, year / 100);
            push_two(out, year % 100);
        }
        _ => push_display(out, year),
    }
    out.push('-');
    push_two(out, month);
    out.push('-');
    push_two(out, day);
    before_christ
}

/// `04:05:06.789`
pub(super) fn push_time(out: &mut String, micros: i64) {
    let (hour, minute, second) = (micros / HOUR, micros / MINUTE % 60, micros / SECOND % 60);
    for (separator, number) in [("", hour), (":", minute), (":", second)] {
        out.push_str(separator);
        // A day has fewer than a hundred hours.
        push_two(out, number as u32);
    }
    push_fraction(out, (micros % SECOND).unsigned_abs());
}

/// `.789`: microseconds without trailing zeros, nothing if there are none.
pub(super) fn push_fraction(out: &mut String, micros: u64) {
    if micros > 0 {
        let _ = write!(out, ".{micros:06}");
        out.truncate(out.trim_end_matches('0').len());
    }
}

/// A number below one hundred, in two digits.
fn push_two(out: &mut String, number: u32) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(char::from(b'0' + digit as u8));
    }
}

/// Appends an integer; without the machinery of formatting, which costs several times as much.
pub(super) fn push_integer(out: &mut String, value: i64) {
    out.push_str(itoa::Buffer::new().format(value));
}

fn push_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}
