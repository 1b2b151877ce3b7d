//! Exact sums and averages.

use rusqlite::Error::UserFunctionError;
use rusqlite::functions::{Aggregate, Context};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Result};
use truststream_sql::numeric::Numeric;

use super::PURE;
use crate::error::raise;

pub(super) fn register(conn: &Connection) -> Result<()> {
    conn.create_aggregate_function("ts_sum", 1, PURE, Exact { average: false })?;
    conn.create_aggregate_function("ts_avg", 1, PURE, Exact { average: true })
}

struct Exact {
    average: bool,
}

/// What was added up.
#[derive(Default)]
struct Sum {
    total: Numeric,
    count: i64,
    /// `NaN` or an infinity, if there was one.
    beyond: Option<&'static str>,
}

impl Aggregate<Option<Sum>, Option<String>> for Exact {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<Sum>> {
        Ok(Some(Sum::default()))
    }

    fn step(&self, call: &mut Context<'_>, sum: &mut Option<Sum>) -> Result<()> {
        let Some(sum) = sum else { return Ok(()) };
        match call.get_raw(0) {
            ValueRef::Null => Ok(()),
            ValueRef::Integer(number) => {
                sum.add(&Numeric::from(number));
                Ok(())
            }
            ValueRef::Real(number) => sum.add_text(&number.to_string()),
            ValueRef::Text(text) => sum.add_text(&String::from_utf8_lossy(text)),
            ValueRef::Blob(_) => Err(UserFunctionError("bytes are no number".into())),
        }
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<Sum>>) -> Result<Option<String>> {
        let Some(sum) = sum.flatten().filter(|sum| sum.count > 0) else { return Ok(None) };
        match sum.beyond {
            Some(beyond) => Ok(Some(beyond.to_owned())),
            None => sum.result(self.average).map(Some).map_err(|error| raise(&error)),
        }
    }
}

impl Sum {
    fn add(&mut self, number: &Numeric) {
        self.count += 1;
        self.total += number;
    }

    fn add_text(&mut self, text: &str) -> Result<()> {
        let word = match text {
            "NaN" => Some("NaN"),
            "Infinity" | "inf" => Some("Infinity"),
            "-Infinity" | "-inf" => Some("-Infinity"),
            _ => None,
        };
        if word.is_none() {
            self.add(&Numeric::read(text).map_err(|error| raise(&error))?);
            return Ok(());
        }
        self.count += 1;
        self.beyond = match (self.beyond, word) {
            (Some(old), Some(new)) if old != new => Some("NaN"),
            (old, new) => old.or(new),
        };
        Ok(())
    }

    fn result(&self, average: bool) -> truststream_kernel::Result<String> {
        match average {
            true => self.total.over(&Numeric::from(self.count))?.write(),
            false => self.total.write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn average(texts: &[&str]) -> String {
        let mut sum = Sum::default();
        texts.iter().for_each(|text| sum.add_text(text).unwrap());
        sum.result(true).unwrap()
    }

    #[test]
    fn averages_have_postgres_own_scale() {
        assert_eq!(average(&["1", "2"]), "1.5000000000000000");
        assert_eq!(average(&["0", "1"]), "0.50000000000000000000");
        assert_eq!(average(&["0", "0.0001"]), "0.000050000000000000000000");
        assert_eq!(average(&["100000", "100001"]), "100000.500000000000");
        assert_eq!(average(&["-1.50", "-2.25", "1"]), "-0.91666666666666666667");
        assert_eq!(average(&["12345678901234567890.1", "1"]), "6172839450617283945.6");
        let long = format!("{}.5", "9".repeat(60));
        assert_eq!(average(&[&long, &long]), long);
    }
}
