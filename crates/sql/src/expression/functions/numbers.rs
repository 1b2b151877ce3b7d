//! Numbers, with PostgreSQL's errors where SQLite would go on with something else.

use truststream_kernel::value::decimal;
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, text};

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "22003", "bigint out of range")
}

fn division_by_zero() -> Error {
    Error::new(ErrorKind::InvalidInput, "22012", "division by zero")
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

/// Sign, digits (most significant first) and how many of them stand behind the point.
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    scale: usize,
}

impl Digits {
    fn read(text: &str) -> Result<Digits> {
        let canonical = decimal::canonical(text)?;
        let (negative, rest) = match canonical.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, canonical.as_str()),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(Error::unsupported("arithmetic with NaN and infinity"));
        }
        let scale = rest.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = rest.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        Ok(Digits { negative, digits, scale })
    }

    /// As many digits behind the point, and as many in all, as asked for.
    fn padded(&self, scale: usize, length: usize) -> Vec<u8> {
        let mut digits = self.digits.clone();
        digits.extend(std::iter::repeat_n(0, scale - self.scale));
        let missing = length.saturating_sub(digits.len());
        std::iter::repeat_n(0, missing).chain(digits).collect()
    }

    fn text(&self) -> Result<String> {
        let mut text: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        while text.len() <= self.scale {
            text.insert(0, '0');
        }
        if self.scale > 0 {
            text.insert(text.len() - self.scale, '.');
        }
        if self.negative {
            text.insert(0, '-');
        }
        decimal::canonical(&text)
    }
}

fn decimals(op: &str, left: &str, right: &str) -> Result<String> {
    let (left, mut right) = (Digits::read(left)?, Digits::read(right)?);
    match op {
        "*" => product(&left, &right).text(),
        "+" => sum(&left, &right).text(),
        "-" => {
            right.negative = !right.negative;
            sum(&left, &right).text()
        }
        _ => Err(Error::internal("an unknown operator")),
    }
}

fn sum(left: &Digits, right: &Digits) -> Digits {
    let scale = left.scale.max(right.scale);
    let length = left.digits.len().max(right.digits.len()) + scale + 1;
    let (first, second) = (left.padded(scale, length), right.padded(scale, length));
    if left.negative == right.negative {
        let mut carry = 0;
        let mut digits: Vec<u8> = first
            .iter()
            .zip(&second)
            .rev()
            .map(|(one, other)| {
                let sum = one + other + carry;
                carry = sum / 10;
                sum % 10
            })
            .collect();
        digits.reverse();
        return Digits { negative: left.negative, digits, scale };
    }
    let (greater, smaller, negative) =
        if first >= second { (first, second, left.negative) } else { (second, first, right.negative) };
    let mut borrow = 0;
    let mut digits: Vec<u8> = greater
        .iter()
        .zip(&smaller)
        .rev()
        .map(|(one, other)| {
            let taken = other + borrow;
            borrow = u8::from(*one < taken);
            one + borrow * 10 - taken
        })
        .collect();
    digits.reverse();
    Digits { negative, digits, scale }
}

fn product(left: &Digits, right: &Digits) -> Digits {
    let mut digits = vec![0_u32; left.digits.len() + right.digits.len()];
    for (at, one) in left.digits.iter().enumerate().rev() {
        let mut carry = 0;
        for (place, other) in right.digits.iter().enumerate().rev() {
            let cell = &mut digits[at + place + 1];
            let sum = *cell + u32::from(*one) * u32::from(*other) + carry;
            *cell = sum % 10;
            carry = sum / 10;
        }
        digits[at] += carry;
    }
    let digits = digits.into_iter().map(|digit| u8::try_from(digit).unwrap_or(9)).collect();
    Digits { negative: left.negative != right.negative, digits, scale: left.scale + right.scale }
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
