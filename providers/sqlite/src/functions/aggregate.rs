//! Exact sums and averages.

use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};

use super::PURE;

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_aggregate_function("ts_sum", 1, PURE, Exact { average: false })?;
    conn.create_aggregate_function("ts_avg", 1, PURE, Exact { average: true })
}

struct Exact {
    average: bool,
}

/// A sum as digits and a scale.
#[derive(Default)]
struct Sum {
    digits: i128,
    scale: u32,
    count: i128,
    /// `NaN` or an infinity, if there was one.
    beyond: Option<&'static str>,
}

/// Digits of a quotient that count.
const SIGNIFICANT: i64 = 16;

impl Aggregate<Option<Sum>, Option<String>> for Exact {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<Sum>> {
        Ok(Some(Sum::default()))
    }

    fn step(&self, call: &mut Context<'_>, sum: &mut Option<Sum>) -> Result<()> {
        let text = match call.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(number) => number.to_string(),
            ValueRef::Real(number) => number.to_string(),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(_) => return Err(overflow()),
        };
        if let Some(sum) = sum {
            sum.add(&text).ok_or_else(overflow)?;
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<Sum>>) -> Result<Option<String>> {
        let Some(sum) = sum.flatten().filter(|sum| sum.count > 0) else { return Ok(None) };
        if let Some(beyond) = sum.beyond {
            return Ok(Some(beyond.to_owned()));
        }
        if !self.average {
            return Ok(Some(plain(sum.digits, sum.scale)));
        }
        let scale = average_scale(&sum);
        Ok(Some(quotient(&sum, scale)))
    }
}

/// Digits behind the point that PostgreSQL gives a quotient: as many as make 16 that count.
fn average_scale(sum: &Sum) -> u32 {
    // Weight and first digit of a number written with the base 10,000.
    let leading = |digits: u128, scale: u32| {
        let text = digits.to_string();
        if digits == 0 {
            return (0, 0);
        }
        let point = text.len() as i64 - i64::from(scale);
        let weight = (point - 1).div_euclid(4);
        let width = (point - weight * 4) as usize;
        let first = format!("{text:0<4}")[..width].parse::<i64>().unwrap_or(0);
        (weight, first)
    };
    let (weight, first) = leading(sum.digits.unsigned_abs(), sum.scale);
    let (other, divisor) = leading(sum.count.unsigned_abs(), 0);
    let weight = weight - other - i64::from(first <= divisor);
    let scale = (SIGNIFICANT - weight * 4).max(0);
    u32::try_from(scale).unwrap_or(0).max(sum.scale)
}

/// The sum by the count, digit by digit, rounded half away from zero.
fn quotient(sum: &Sum, scale: u32) -> String {
    let count = sum.count.unsigned_abs() * 10_u128.pow(sum.scale.min(30));
    let digits = sum.digits.unsigned_abs();
    let mut text = (digits / count).to_string();
    let mut rest = digits % count;
    for _ in 0..=scale {
        rest *= 10;
        text.push(char::from(b'0' + (rest / count) as u8));
        rest %= count;
    }
    let up = text.pop().is_some_and(|digit| digit >= '5');
    let mut digits: Vec<u8> = text.into_bytes();
    if up {
        let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
        let end = digits.len();
        digits[end - nines..].fill(b'0');
        match end - nines {
            0 => digits.insert(0, b'1'),
            at => digits[at - 1] += 1,
        }
    }
    let text: String = digits.into_iter().map(char::from).collect();
    let sign = if sum.digits < 0 { "-" } else { "" };
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

impl Sum {
    fn add(&mut self, text: &str) -> Option<()> {
        self.count += 1;
        let word = match text {
            "NaN" => Some("NaN"),
            "Infinity" => Some("Infinity"),
            "-Infinity" => Some("-Infinity"),
            _ => None,
        };
        if word.is_some() || self.beyond.is_some() {
            self.beyond = match (self.beyond, word) {
                (Some(old), Some(new)) if old != new => Some("NaN"),
                (old, new) => old.or(new),
            };
            return Some(());
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let scale = u32::try_from(fraction.len()).ok()?;
        let mut digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        if scale < self.scale {
            digits = digits.checked_mul(10_i128.checked_pow(self.scale - scale)?)?;
        } else {
            self.digits = self.digits.checked_mul(10_i128.checked_pow(scale - self.scale)?)?;
            self.scale = scale;
        }
        self.digits = self.digits.checked_add(digits)?;
        Some(())
    }
}

fn plain(digits: i128, scale: u32) -> String {
    let sign = if digits < 0 { "-" } else { "" };
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - scale as usize);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn overflow() -> rusqlite::Error {
    rusqlite::Error::UserFunctionError("value overflows numeric format".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(texts: &[&str]) -> String {
        let mut sum = Sum::default();
        texts.iter().for_each(|text| sum.add(text).unwrap());
        quotient(&sum, average_scale(&sum))
    }

    #[test]
    fn averages_have_postgres_own_scale() {
        assert_eq!(average(&["1", "2"]), "1.5000000000000000");
        assert_eq!(average(&["0", "1"]), "0.50000000000000000000");
        assert_eq!(average(&["0", "0.0001"]), "0.000050000000000000000000");
        assert_eq!(average(&["100000", "100001"]), "100000.500000000000");
        assert_eq!(average(&["-1.50", "-2.25", "1"]), "-0.91666666666666666667");
        assert_eq!(average(&["12345678901234567890.1", "1"]), "6172839450617283945.6");
    }
}
