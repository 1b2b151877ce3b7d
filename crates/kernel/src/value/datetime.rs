//! Dates, times and timestamps: PostgreSQL's input syntax (`DateStyle` ISO, MDY).

use std::time::{SystemTime, UNIX_EPOCH};

use super::calendar::{DAY, FIRST_DAY, HOUR, LAST_DAY, MINUTE, SECOND, days_in_month, days_of};
use super::datetime_fields::Fields;
use super::datetime_words::Moment;
use super::{Value, fault, zone};
use crate::{Error, ErrorKind, Result};

/// First microsecond PostgreSQL's timestamps can hold.
const FIRST_MICROSECOND: i64 = FIRST_DAY * DAY;

/// A point in time as a text gives it.
enum Point {
    /// On every clock the same.
    Instant(i64),
    /// What a clock shows, and seconds east of UTC of where it hangs.
    Shown(i64, Option<i64>),
}

/// Reads a `timestamp with time zone`; without a zone it is the session's.
pub(super) fn timestamptz(text: &str) -> Result<Value> {
    let moment = match point("timestamp with time zone", text)? {
        Point::Instant(moment) => moment,
        Point::Shown(local, Some(offset)) => local.saturating_sub(offset * SECOND),
        Point::Shown(local, None) => zone::instant(local),
    };
    in_range(moment, text).map(Value::Timestamptz)
}

/// Reads a `timestamp without time zone`; a zone is ignored, as PostgreSQL does.
pub(super) fn timestamp(text: &str) -> Result<Value> {
    let local = match point("timestamp", text)? {
        Point::Instant(moment) => zone::local(moment),
        Point::Shown(local, _) => local,
    };
    in_range(local, text).map(Value::Timestamp)
}

/// Reads a `date`; a time of day is ignored.
pub(super) fn date(text: &str) -> Result<Value> {
    let fields = Fields::read(text, false).map_err(|fault| fault.error("date", text))?;
    let days = match fields.moment {
        Some(Moment::Infinity) => return Ok(Value::Date(i32::MAX)),
        Some(Moment::NegativeInfinity) => return Ok(Value::Date(i32::MIN)),
        Some(Moment::AllBalls) => return Err(fault::syntax("date", text)),
        Some(moment) => day_of_moment(moment),
        None => day_of(&fields, "date", text)?,
    };
    if !(FIRST_DAY..=LAST_DAY).contains(&days) {
        return Err(fault::datetime_out_of_range("date", text));
    }
    Ok(Value::Date(days as i32))
}

/// Reads a `time without time zone`; a date and a zone are ignored.
pub(super) fn time(text: &str) -> Result<Value> {
    let fields = Fields::read(text, true).map_err(|fault| fault.error("time", text))?;
    match fields.moment {
        Some(Moment::AllBalls) => Ok(Value::Time(0)),
        Some(Moment::Now) => Ok(Value::Time(zone::local(now()).rem_euclid(DAY))),
        Some(_) => Err(fault::syntax("time", text)),
        None => match fields.time {
            Some(micros) => Ok(Value::Time(micros)),
            None => Err(fault::syntax("time", text)),
        },
    }
}

fn point(type_name: &'static str, text: &str) -> Result<Point> {
    let fields = Fields::read(text, false).map_err(|fault| fault.error(type_name, text))?;
    let days = match fields.moment {
        Some(Moment::Infinity) => return Ok(Point::Instant(i64::MAX)),
        Some(Moment::NegativeInfinity) => return Ok(Point::Instant(i64::MIN)),
        Some(Moment::Now) => return Ok(Point::Instant(now())),
        Some(Moment::Epoch) => return Ok(Point::Shown(0, Some(0))),
        Some(Moment::AllBalls) => return Err(fault::syntax(type_name, text)),
        Some(moment) => day_of_moment(moment),
        None => day_of(&fields, type_name, text)?,
    };
    days.checked_mul(DAY)
        .and_then(|micros| micros.checked_add(fields.time.unwrap_or(0)))
        .map(|local| Point::Shown(local, fields.zone))
        .ok_or_else(|| fault::datetime_out_of_range("timestamp", text))
}

fn in_range(micros: i64, text: &str) -> Result<i64> {
    let infinite = micros == i64::MAX || micros == i64::MIN;
    if infinite || micros >= FIRST_MICROSECOND {
        return Ok(micros);
    }
    Err(fault::datetime_out_of_range("timestamp", text))
}

fn day_of(fields: &Fields, type_name: &'static str, text: &str) -> Result<i64> {
    let (year, month, day) = fields.date.ok_or_else(|| fault::syntax(type_name, text))?;
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        let error = fault::field_out_of_range(text);
        let swapped = !(1..=12).contains(&month) || day > 31 || day == 0;
        return Err(if swapped {
            error.with_hint("Perhaps you need a different \"datestyle\" setting.")
        } else {
            error
        });
    }
    Ok(days_of(year, month, day))
}

fn day_of_moment(moment: Moment) -> i64 {
    let today = zone::local(now()).div_euclid(DAY);
    match moment {
        Moment::Tomorrow => today + 1,
        Moment::Yesterday => today - 1,
        Moment::Epoch => 0,
        _ => today,
    }
}

/// Microseconds since 1970-01-01 UTC by the system's clock.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Why the fields of a date or time could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// No date or time at all.
    Syntax,
    /// A field beyond its limits.
    Range,
    /// A zone more than 16 hours from UTC.
    Zone,
}

impl Fault {
    fn error(self, type_name: &str, text: &str) -> Error {
        match self {
            Fault::Syntax => fault::syntax(type_name, text),
            Fault::Range => fault::field_out_of_range(text),
            Fault::Zone => Error::new(
                ErrorKind::InvalidInput,
                "22009",
                format!("time zone displacement out of range: \"{text}\""),
            ),
        }
    }
}

/// Hours, minutes and seconds as microseconds.
pub(super) fn clock(hour: i64, minute: i64, second: i64, micros: i64) -> i64 {
    hour * HOUR + minute * MINUTE + second * SECOND + micros
}
