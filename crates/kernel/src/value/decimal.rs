//! Exact decimals as text: PostgreSQL's `numeric` without a number type.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::fault;
use crate::Result;

/// Digits `numeric` holds before the decimal point.
const MAX_WHOLE: usize = 131_072;
/// Digits `numeric` holds after it.
const MAX_SCALE: usize = 16_383;

/// PostgreSQL's text form of a decimal written in any of the ways `numeric` takes: no exponent, no
/// superfluous leading zeros, scale kept (`1.50`, `.5` → `0.5`, `1.5e3` → `1500`), `NaN`,
/// `Infinity`, `-Infinity`.
///
/// # Errors
/// SQLSTATE 22P02 if it is no decimal, 22003 if it is beyond what `numeric` holds.
pub fn canonical(text: &str) -> Result<String> {
    let trimmed = text.trim_matches(super::is_space);
    if let Some(special) = special(trimmed) {
        return Ok(special.to_owned());
    }
    let number = Digits::read(trimmed).ok_or_else(|| fault::syntax("numeric", text))?;
    number.write().ok_or_else(|| fault::number_out_of_range("value overflows numeric format"))
}

/// A canonical decimal rounded to `numeric(precision, scale)`, half away from zero.
///
/// # Errors
/// SQLSTATE 22003 if it does not fit the precision.
pub fn rounded(decimal: &str, precision: u16, scale: i16) -> Result<String> {
    let limit = i32::from(precision) - i32::from(scale);
    let overflow =
        |details: String| fault::number_out_of_range("numeric field overflow").with_details(details);
    if decimal == "NaN" {
        return Ok(decimal.to_owned());
    }
    if decimal.ends_with("Infinity") {
        return Err(overflow(format!(
            "A field with precision {precision}, scale {scale} cannot hold an infinite value."
        )));
    }
    let (negative, whole, fraction) = parts(decimal);
    let mut digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    round_digits(&mut digits, whole.len() as i64 + i64::from(scale));
    let significant = digits.iter().skip_while(|digit| **digit == b'0').count();
    if significant > usize::from(precision) {
        let bound = if limit == 0 { "1".to_owned() } else { format!("10^{limit}") };
        return Err(overflow(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {bound}."
        )));
    }
    if scale < 0 && significant > 0 {
        digits.resize(digits.len() + usize::from(scale.unsigned_abs()), b'0');
    }
    Ok(assemble(negative && significant > 0, &digits, scale.max(0) as usize))
}

/// Rounds to the first `keep` digits, or pads with zeros to that many.
fn round_digits(digits: &mut Vec<u8>, keep: i64) {
    let length = digits.len();
    let Ok(keep) = usize::try_from(keep) else {
        digits.clear();
        return;
    };
    if keep >= length {
        digits.resize(keep, b'0');
        return;
    }
    let up = digits[keep] >= b'5';
    digits.truncate(keep);
    if up && carry(digits) {
        digits.insert(0, b'1');
    }
}

/// Adds one in the last place; whether a new leading one is needed.
fn carry(digits: &mut [u8]) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    true
}

fn assemble(negative: bool, digits: &[u8], scale: usize) -> String {
    let whole_length = digits.len().saturating_sub(scale);
    let (whole, fraction) = digits.split_at(whole_length);
    let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
    let mut out = String::with_capacity(digits.len() + 3);
    if negative {
        out.push('-');
    }
    out.extend(whole[zeros..].iter().map(|digit| char::from(*digit)));
    if zeros == whole.len() {
        out.push('0');
    }
    if scale > 0 {
        out.push('.');
        out.extend(std::iter::repeat_n('0', scale.saturating_sub(digits.len())));
        out.extend(fraction.iter().map(|digit| char::from(*digit)));
    }
    out
}

/// Order of two canonical decimals by value, as PostgreSQL orders `numeric`: `NaN` last, and
/// `1.5` equal to `1.50`. Texts that are no decimals are ordered as texts, after all decimals.
pub fn compare(left: &str, right: &str) -> Ordering {
    match (rank(left), rank(right)) {
        (Rank::Finite, Rank::Finite) => {}
        (Rank::Other, Rank::Other) => return left.cmp(right),
        (left, right) => return left.cmp(&right),
    }
    let (left_negative, left_whole, left_fraction) = parts(left);
    let (right_negative, right_whole, right_fraction) = parts(right);
    let left_negative = left_negative && !is_zero(left_whole, left_fraction);
    let right_negative = right_negative && !is_zero(right_whole, right_fraction);
    match (left_negative, right_negative) {
        (false, true) => return Ordering::Greater,
        (true, false) => return Ordering::Less,
        _ => {}
    }
    let (left_whole, right_whole) = (left_whole.trim_start_matches('0'), right_whole.trim_start_matches('0'));
    let (left_fraction, right_fraction) =
        (left_fraction.trim_end_matches('0'), right_fraction.trim_end_matches('0'));
    // Fractions without trailing zeros compare as texts: a prefix is the smaller number.
    let order = (left_whole.len().cmp(&right_whole.len()))
        .then_with(|| left_whole.cmp(right_whole))
        .then_with(|| left_fraction.cmp(right_fraction));
    if left_negative { order.reverse() } else { order }
}

/// The one form of all canonical decimals of equal value (`1.50` and `1.5`): for hashing and for
/// index keys.
pub fn normal(decimal: &str) -> Cow<'_, str> {
    if rank(decimal) != Rank::Finite {
        return Cow::Borrowed(decimal);
    }
    let (negative, whole, fraction) = parts(decimal);
    if is_zero(whole, fraction) {
        return Cow::Borrowed("0");
    }
    let trimmed = fraction.trim_end_matches('0');
    let whole_trimmed = whole.trim_start_matches('0');
    if trimmed.len() == fraction.len() && whole_trimmed.len() == whole.len() && !decimal.ends_with('.') {
        return Cow::Borrowed(decimal);
    }
    let sign = if negative { "-" } else { "" };
    let whole = if whole_trimmed.is_empty() { "0" } else { whole_trimmed };
    let point = if trimmed.is_empty() { "" } else { "." };
    Cow::Owned(format!("{sign}{whole}{point}{trimmed}"))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NegativeInfinity,
    Finite,
    Infinity,
    NaN,
    Other,
}

fn rank(text: &str) -> Rank {
    match text {
        "-Infinity" => Rank::NegativeInfinity,
        "Infinity" => Rank::Infinity,
        "NaN" => Rank::NaN,
        _ => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if plain && digits.bytes().any(|byte| byte.is_ascii_digit()) { Rank::Finite } else { Rank::Other }
        }
    }
}

fn is_zero(whole: &str, fraction: &str) -> bool {
    whole.bytes().chain(fraction.bytes()).all(|digit| digit == b'0')
}

/// Sign, digits before and digits after the point of a decimal without exponent.
fn parts(decimal: &str) -> (bool, &str, &str) {
    let (negative, digits) = match decimal.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, decimal),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    (negative, whole, fraction)
}

fn special(text: &str) -> Option<&'static str> {
    let matches = |word: &str| text.eq_ignore_ascii_case(word);
    if matches("nan") {
        Some("NaN")
    } else if ["infinity", "inf", "+infinity", "+inf"].into_iter().any(matches) {
        Some("Infinity")
    } else if ["-infinity", "-inf"].into_iter().any(matches) {
        Some("-Infinity")
    } else {
        None
    }
}

/// A decimal as it was written.
struct Digits<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Digits<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], read_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let any = !(whole.is_empty() && fraction.is_empty());
        (any && digits(whole) && digits(fraction)).then_some(Digits { negative, whole, fraction, exponent })
    }

    /// The canonical text; `None` if it has more digits than `numeric` holds.
    fn write(&self) -> Option<String> {
        let scale = (self.fraction.len() as i64 - self.exponent).max(0);
        let significant = self.whole.trim_start_matches('0').len() as i64;
        let zero = is_zero(self.whole, self.fraction);
        if scale > MAX_SCALE as i64 || (!zero && significant + self.exponent > MAX_WHOLE as i64) {
            return None;
        }
        let mut digits: Vec<u8> = self.whole.bytes().chain(self.fraction.bytes()).collect();
        if self.exponent > self.fraction.len() as i64 && !zero {
            let zeros = self.exponent - self.fraction.len() as i64;
            digits.resize(digits.len() + zeros as usize, b'0');
        }
        if zero {
            digits = vec![b'0'; scale as usize + 1];
        }
        Some(assemble(self.negative && !zero, &digits, scale as usize))
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Beyond this it overflows anyway, whatever the mantissa.
    let exponent = digits.trim_start_matches('0').get(..7).map_or_else(|| digits.parse(), |_| Ok(9_999_999));
    let exponent: i64 = exponent.ok()?;
    Some(if text.starts_with('-') { -exponent } else { exponent })
}
