//! Averages with PostgreSQL's scale.

use mongodb::bson::Document;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_sql::numeric::Numeric;

use crate::storage::{NAN, integer, number_text};

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
    divided(&sum, count).map(Value::Decimal)
}

/// The average of intervals, of the sums of their parts and a count `n`; what is left of months becomes days
/// of thirty a month, and what is left of days becomes time.
///
/// # Errors
/// 22008 for an interval out of range.
pub(crate) fn lasting(parts: &Document) -> Result<Value> {
    const DAYS: f64 = 30.0;
    const SECONDS: f64 = 86_400.0;
    let part = |name: &str| parts.get(name).and_then(integer).unwrap_or(0) as f64;
    let count = part("n");
    if count == 0.0 {
        return Ok(Value::Null);
    }
    let to_micros = |seconds: f64| (seconds * 1e6).round_ties_even() / 1e6;
    let (months, mut days) = ((part("m") / count).trunc(), (part("d") / count).trunc());
    let days_left = to_micros((part("m") / count - months) * DAYS);
    let mut seconds = to_micros((part("d") / count - days + days_left - days_left.trunc()) * SECONDS);
    if seconds.abs() >= SECONDS {
        let more = (seconds / SECONDS).trunc();
        days += more;
        seconds -= more * SECONDS;
    }
    days += days_left.trunc();
    let micros = (part("u") / count + seconds * 1e6).round_ties_even();
    let bounded = |number: f64| (number.abs() <= f64::from(i32::MAX)).then_some(number as i32);
    match (bounded(months), bounded(days)) {
        (Some(months), Some(days)) => Ok(Value::Interval { months, days, micros: micros as i64 }),
        _ => Err(Error::new(ErrorKind::InvalidInput, "22008", "interval out of range")),
    }
}

fn divided(sum: &str, count: i64) -> Result<String> {
    Numeric::read(sum)?.over(&Numeric::from(count))?.write()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_months_and_days_become_smaller_units() {
        let of = |m: i64, d: i64, u: i64, n: i64| {
            let value = lasting(&mongodb::bson::doc! { "m": m, "d": d, "u": u, "n": n }).unwrap();
            value.to_text().unwrap_or_default()
        };
        assert_eq!(of(1, 1, 0, 2), "15 days 12:00:00");
        assert_eq!(of(1, 0, 0, 4), "7 days 12:00:00");
        assert_eq!(of(0, -3, 0, 2), "-1 days -12:00:00");
        assert_eq!(of(0, 0, 0, 0), "");
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        assert_eq!(divided("10", 3).unwrap(), "3.3333333333333333");
        assert_eq!(divided("-20", 3).unwrap(), "-6.6666666666666667");
        assert_eq!(divided("22.49", 3).unwrap(), "7.4966666666666667");
        assert_eq!(divided("100000000000000000001.60", 2).unwrap(), "50000000000000000000.80");
    }
}
