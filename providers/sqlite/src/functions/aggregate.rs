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
}

/// Digits behind the point that an average shows.
const AVERAGE_SCALE: u32 = 16;

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
        if !self.average {
            return Ok(Some(plain(sum.digits, sum.scale)));
        }
        let scale = AVERAGE_SCALE.max(sum.scale);
        let wide = 10_i128
            .checked_pow(scale + 1 - sum.scale)
            .and_then(|factor| sum.digits.checked_mul(factor))
            .ok_or_else(overflow)?;
        let tenths = wide / sum.count;
        let rounded = (tenths + if tenths < 0 { -5 } else { 5 }) / 10;
        Ok(Some(plain(rounded, scale)))
    }
}

impl Sum {
    fn add(&mut self, text: &str) -> Option<()> {
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
        self.count += 1;
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
