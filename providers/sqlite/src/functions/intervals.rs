//! Sums and averages of intervals.

use rusqlite::functions::{Aggregate, Context};
use rusqlite::{Connection, Result};
use truststream_kernel::value::calendar::DAY;
use truststream_kernel::{Error, ErrorKind, Type, Value};

use super::{PURE, text};
use crate::error::raise;

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_aggregate_function("ts_interval_sum", 1, PURE, Intervals { average: false })?;
    conn.create_aggregate_function("ts_interval_avg", 1, PURE, Intervals { average: true })
}

struct Intervals {
    average: bool,
}

/// A sum, part by part, and of how many.
#[derive(Clone, Copy, Default)]
struct Sum {
    months: i32,
    days: i32,
    micros: i64,
    count: u32,
}

impl Aggregate<Sum, Option<String>> for Intervals {
    fn init(&self, _: &mut Context<'_>) -> Result<Sum> {
        Ok(Sum::default())
    }

    fn step(&self, call: &mut Context<'_>, sum: &mut Sum) -> Result<()> {
        let Some(text) = text(call, 0)? else { return Ok(()) };
        let value = Value::parse(&Type::Interval, text).map_err(|error| raise(&error))?;
        let Value::Interval { months, days, micros } = value else { return Ok(()) };
        *sum = sum.plus(months, days, micros).ok_or_else(|| raise(&out_of_range()))?;
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Sum>) -> Result<Option<String>> {
        let Some(sum) = sum.filter(|sum| sum.count > 0) else { return Ok(None) };
        let value = if self.average { sum.divided() } else { sum.whole() };
        Ok(value.to_text())
    }
}

impl Sum {
    fn plus(self, months: i32, days: i32, micros: i64) -> Option<Sum> {
        Some(Sum {
            months: self.months.checked_add(months)?,
            days: self.days.checked_add(days)?,
            micros: self.micros.checked_add(micros)?,
            count: self.count.checked_add(1)?,
        })
    }

    fn whole(self) -> Value {
        Value::Interval { months: self.months, days: self.days, micros: self.micros }
    }

    /// What is left of months becomes days, what is left of days becomes hours, as PostgreSQL divides.
    fn divided(self) -> Value {
        let count = f64::from(self.count);
        let rounded = |value: f64| (value * 1e6).round_ties_even() / 1e6;
        let day = DAY as f64 / 1e6;
        let (months, days) =
            ((f64::from(self.months) / count).trunc(), (f64::from(self.days) / count).trunc());
        let of_month = rounded((f64::from(self.months) / count - months) * 30.0);
        let mut seconds = rounded((f64::from(self.days) / count - days + of_month - of_month.trunc()) * day);
        let mut days = days;
        if seconds.abs() >= day {
            days += (seconds / day).trunc();
            seconds -= (seconds / day).trunc() * day;
        }
        let micros = (self.micros as f64 / count + seconds * 1e6).round_ties_even();
        Value::Interval {
            months: months as i32,
            days: (days + of_month.trunc()) as i32,
            micros: micros as i64,
        }
    }
}

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "22008", "interval out of range")
}
