//! Averages with PostgreSQL's scale.

use mongodb::bson::Document;
use truststream_kernel::{Error, ErrorKind, Result, Value};

use crate::storage::{NAN, integer, number_text};

/// Digits behind the point that an average shows at least.
const SCALE: usize = 16;

/// The average of numbers of a sum `s` and a count `n`.
///
/// # Errors
/// 22003 for a sum that is too large.
pub(crate) fn average(parts: &Document) -> Result<Value> {
    let count = parts.get("n").and_then(integer).unwrap_or(0);
    let sum = parts.get("s").and_then(number_text).unwrap_or_default();
    if count == 0 {
        return Ok(Value::Null);
    }
    if sum == NAN || sum.ends_with("Infinity") {
        return Ok(Value::Decimal(sum));
    }
    divided(&sum, i128::from(count))
        .map(Value::Decimal)
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "22003", "value overflows numeric format"))
}

fn divided(sum: &str, count: i128) -> Option<String> {
    let (whole, fraction) = sum.split_once('.').unwrap_or((sum, ""));
    let scale = SCALE.max(fraction.len());
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let factor = 10_i128.checked_pow(u32::try_from(scale + 1 - fraction.len()).ok()?)?;
    let tenths = digits.checked_mul(factor)? / count;
    let rounded = (tenths + if tenths < 0 { -5 } else { 5 }) / 10;
    let text = format!("{:0>width$}", rounded.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    Some(format!("{}{whole}.{fraction}", if rounded < 0 { "-" } else { "" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(divided("10", 3).unwrap(), "3.3333333333333333");
        assert_eq!(divided("-20", 3).unwrap(), "-6.6666666666666667");
        assert_eq!(divided("22.49", 3).unwrap(), "7.4966666666666667");
    }
}
