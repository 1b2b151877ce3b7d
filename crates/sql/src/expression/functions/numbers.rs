//! Numbers, with PostgreSQL's errors where SQLite would go on with something else.

use truststream_kernel::value::decimal;
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, text};
use crate::numeric::{Numeric, division_by_zero};

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "22003", "bigint out of range")
}

/// The number that so many bits are, read from a text as PostgreSQL reads bits: `x1f` in hexadecimal digits,
/// `b11111` or `11111` in binary ones. What is missing at the end is 0.
pub(super) fn bits(arguments: &[Value]) -> Result<Value> {
    let (given, length, width) = (text(arguments, 0)?, integer(arguments, 1)?, integer(arguments, 2)?);
    let (digits, size, kind) = match given.as_bytes().first() {
        Some(b'x' | b'X') => (&given[1..], 4, "hexadecimal"),
        Some(b'b' | b'B') => (&given[1..], 1, "binary"),
        _ => (given, 1, "binary"),
    };
    let (mut number, mut left) = (0_i64, length);
    for sign in digits.chars() {
        let Some(digit) = sign.to_digit(1 << size) else {
            let message = format!("\"{sign}\" is not a valid {kind} digit");
            return Err(Error::new(ErrorKind::InvalidInput, "22P02", message));
        };
        for place in (0..size).rev() {
            if left == 0 {
                break;
            }
            number = number << 1 | i64::from(digit >> place & 1);
            left -= 1;
        }
    }
    // As many as 64 are missing where there is no digit.
    number = u32::try_from(left).ok().and_then(|left| number.checked_shl(left)).unwrap_or(0);
    let negative = width == 32 && length == 32 && number >> 31 == 1;
    Ok(Value::Int(if negative { number - (1 << 32) } else { number }))
}

/// `left op right` of two integers, two floats or two decimals.
pub(super) fn math(arguments: &[Value]) -> Result<Value> {
    let op = text(arguments, 0)?;
    match (&arguments[1], &arguments[2]) {
        (Value::Int(left), Value::Int(right)) => integers(op, *left, *right),
        (Value::Float(left), Value::Float(right)) => floats(op, *left, *right),
        (Value::Int(left), Value::Float(right)) => floats(op, *left as f64, *right),
        (Value::Float(left), Value::Int(right)) => floats(op, *left, *right as f64),
        (Value::Text(left), Value::Text(right)) => decimals(op, left, right).map(Value::Text),
        _ => Err(Error::internal("a function was called with something else than numbers")),
    }
}

fn integers(op: &str, left: i64, right: i64) -> Result<Value> {
    let result = match op {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" | "%" if right == 0 => return Err(division_by_zero()),
        "/" => left.checked_div(right),
        "%" => Some(left.wrapping_rem(right)),
        _ => return Err(Error::internal("an unknown operator")),
    };
    result.map(Value::Int).ok_or_else(out_of_range)
}

fn floats(op: &str, left: f64, right: f64) -> Result<Value> {
    let result = match op {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" if right == 0.0 => return Err(division_by_zero()),
        "/" => left / right,
        _ => return Err(Error::internal("an unknown operator")),
    };
    if result.is_finite() {
        return Ok(Value::Float(result));
    }
    Err(Error::new(ErrorKind::InvalidInput, "22003", "value out of range: overflow"))
}

fn decimals(op: &str, left: &str, right: &str) -> Result<String> {
    let (left, right) = (Numeric::read(left)?, Numeric::read(right)?);
    let result = match op {
        "+" => &left + &right,
        "-" => &left - &right,
        "*" => &left * &right,
        "/" => left.over(&right)?,
        "%" => left.modulo(&right)?,
        _ => return Err(Error::internal("an unknown operator")),
    };
    result.write()
}

/// A decimal rounded to so many digits behind the point.
pub(super) fn round(arguments: &[Value]) -> Result<Value> {
    let places = i16::try_from(integer(arguments, 1)?).unwrap_or(i16::MAX);
    decimal::rounded(text(arguments, 0)?, 1000, places).map(Value::Text)
}

/// An integer's bits as hexadecimal digits.
pub(super) fn to_hex(arguments: &[Value]) -> Result<Value> {
    integer(arguments, 0).map(|number| Value::Text(format!("{number:x}")))
}

/// `left op right` of the bits of two integers that are so many bits wide.
pub(super) fn bitwise(arguments: &[Value]) -> Result<Value> {
    let (op, left, right) = (text(arguments, 0)?, integer(arguments, 1)?, integer(arguments, 2)?);
    let width = integer(arguments, 3)?;
    // PostgreSQL shifts by the rest of a division by the width; `smallint` is shifted as `integer`.
    let by = right.rem_euclid(width.max(32)) as u32;
    let result = match op {
        "&" => left & right,
        "|" => left | right,
        "#" => left ^ right,
        "<<" => left << by,
        ">>" => left >> by,
        _ => return Err(Error::internal("an unknown operator")),
    };
    Ok(Value::Int(match width {
        16 => i64::from(result as i16),
        32 => i64::from(result as i32),
        _ => result,
    }))
}

/// `gcd` and, with 1 as the last argument, `lcm`.
pub(super) fn divisor(arguments: &[Value]) -> Result<Value> {
    let (left, right) = (integer(arguments, 0)?, integer(arguments, 1)?);
    let (mut a, mut b) = (left.unsigned_abs(), right.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let result = match (integer(arguments, 2)?, a) {
        (1, 0) => Some(0),
        (1, common) => (left.unsigned_abs() / common).checked_mul(right.unsigned_abs()),
        (_, common) => Some(common),
    };
    result.and_then(|result| i64::try_from(result).ok()).map(Value::Int).ok_or_else(out_of_range)
}

/// `ceil`, `floor`, `trunc` and `sign` of a decimal; `trunc` to so many digits behind the point.
pub(super) fn cut(arguments: &[Value]) -> Result<Value> {
    let (name, number, places) = (text(arguments, 0)?, text(arguments, 1)?, integer(arguments, 2)?);
    let canonical = decimal::canonical(number)?;
    let (negative, digits) = match canonical.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, canonical.as_str()),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return match name {
            "sign" => Err(Error::unsupported("the sign of NaN and infinity")),
            _ => Ok(Value::Text(canonical)),
        };
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let rest = fraction.bytes().any(|digit| digit != b'0');
    let zero = !rest && whole.bytes().all(|digit| digit == b'0');
    let cut = match (name, usize::try_from(places)) {
        ("sign", _) => i32::from(!zero).to_string(),
        ("ceil", _) if rest && !negative => more(whole)?,
        ("floor", _) if rest && negative => more(whole)?,
        ("trunc", Ok(places)) if places > 0 => {
            format!("{whole}.{:0<places$}", &fraction[..places.min(fraction.len())])
        }
        ("trunc", Err(_)) => {
            let gone = usize::try_from(places.unsigned_abs()).unwrap_or(usize::MAX).min(whole.len());
            format!("{}{}", &whole[..whole.len() - gone], "0".repeat(gone))
        }
        _ => whole.to_owned(),
    };
    let cut = cut.trim_start_matches('0');
    let cut = if cut.is_empty() || cut.starts_with('.') { format!("0{cut}") } else { cut.to_owned() };
    let sign = if negative && cut.bytes().any(|digit| matches!(digit, b'1'..=b'9')) { "-" } else { "" };
    Ok(Value::Text(format!("{sign}{cut}")))
}

/// A whole number and 1.
fn more(whole: &str) -> Result<String> {
    decimals("+", whole, "1")
}

/// `factorial(number)`
pub(super) fn factorial(arguments: &[Value]) -> Result<Value> {
    let number = integer(arguments, 0)?;
    if number < 0 {
        let message = "factorial of a negative number is undefined";
        return Err(Error::new(ErrorKind::InvalidInput, "22003", message));
    }
    if number > 32_177 {
        return Err(Error::new(ErrorKind::InvalidInput, "22003", "value overflows numeric format"));
    }
    let product = (2..=number).fold(num_bigint::BigInt::from(1), |product, next| product * next);
    Ok(Value::Text(product.to_string()))
}
