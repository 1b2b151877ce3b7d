//! Moments, dates and intervals. Timestamps are microseconds, dates and intervals texts.

use truststream_kernel::value::calendar::{DAY, date_of, days_in_month, days_of};
use truststream_kernel::value::zone::{self, Zone};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};

use super::{integer, text};

fn out_of_range() -> Error {
    Error::new(ErrorKind::InvalidInput, "22008", "timestamp out of range")
}

fn interval(text: &str) -> Result<(i32, i32, i64)> {
    match Value::parse(&Type::Interval, text)? {
        Value::Interval { months, days, micros } => Ok((months, days, micros)),
        _ => Err(Error::internal("an interval was expected")),
    }
}

fn days(text: &str) -> Result<i32> {
    match Value::parse(&Type::Date, text)? {
        Value::Date(days) => Ok(days),
        _ => Err(Error::internal("a date was expected")),
    }
}

fn as_text(value: &Value) -> Value {
    value.to_text().map_or(Value::Null, Value::Text)
}

/// Seconds from the beginning of 1970 to 2000, from which PostgreSQL counts.
const MILLENNIUM: f64 = 946_684_800.0;

/// `to_timestamp(seconds)`, rounded as PostgreSQL rounds.
pub(super) fn from_epoch(arguments: &[Value]) -> Result<Value> {
    let seconds = match arguments.first() {
        Some(Value::Float(seconds)) => *seconds,
        _ => return Err(Error::internal("a function was called with something else than a float")),
    };
    let micros = ((seconds - MILLENNIUM) * 1e6).round_ties_even();
    if !(-211_813_488_000e6..=9_223_371_331_200e6).contains(&micros) {
        let message = format!("timestamp out of range: \"{seconds}\"");
        return Err(Error::new(ErrorKind::InvalidInput, "22008", message));
    }
    Ok(Value::Int(micros as i64 + MILLENNIUM as i64 * 1_000_000))
}

/// A timestamp and an interval: months first, then days, then the rest, as PostgreSQL does.
pub(super) fn shift(arguments: &[Value]) -> Result<Value> {
    shifted(arguments, |same| same, |same| same)
}

/// The same of a moment, whose months and days are those of the session's calendar.
pub(super) fn session_shift(arguments: &[Value]) -> Result<Value> {
    shifted(arguments, zone::local, zone::instant)
}

fn shifted(arguments: &[Value], local: fn(i64) -> i64, instant: fn(i64) -> i64) -> Result<Value> {
    let (moment, sign) = (integer(arguments, 0)?, integer(arguments, 2)?);
    if moment == i64::MIN || moment == i64::MAX {
        return Ok(Value::Int(moment));
    }
    let (months, days, micros) = interval(text(arguments, 1)?)?;
    if months == 0 && days == 0 {
        let moved = sign.checked_mul(micros).and_then(|micros| moment.checked_add(micros));
        return moved.map(Value::Int).ok_or_else(out_of_range);
    }
    let moment = local(moment);
    let (day, rest) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (year, month, day_of_month) = date_of(day);
    let count = year * 12 + i64::from(month) - 1 + sign * i64::from(months);
    let (year, month) = (count.div_euclid(12), u32::try_from(count.rem_euclid(12)).unwrap_or(0) + 1);
    let day = days_of(year, month, day_of_month.min(days_in_month(year, month)));
    let day = day + sign * i64::from(days);
    day.checked_mul(DAY)
        .and_then(|start| start.checked_add(rest))
        .and_then(|local| instant(local).checked_add(sign.checked_mul(micros)?))
        .map(Value::Int)
        .ok_or_else(out_of_range)
}

/// A date and a number of days.
pub(super) fn shift_date(arguments: &[Value]) -> Result<Value> {
    let (date, number, sign) = (days(text(arguments, 0)?)?, integer(arguments, 1)?, integer(arguments, 2)?);
    let moved = i64::from(date).checked_add(sign.checked_mul(number).ok_or_else(out_of_range)?);
    let moved = moved.and_then(|days| i32::try_from(days).ok()).ok_or_else(out_of_range)?;
    Ok(as_text(&Value::Date(moved)))
}

pub(super) fn days_between(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(i64::from(days(text(arguments, 0)?)?) - i64::from(days(text(arguments, 1)?)?)))
}

/// The interval between two timestamps: whole days and the rest.
pub(super) fn time_between(arguments: &[Value]) -> Result<Value> {
    let (left, right) = (integer(arguments, 0)?, integer(arguments, 1)?);
    let span = left.checked_sub(right).ok_or_else(out_of_range)?;
    let days = i32::try_from(span / DAY).map_err(|_| out_of_range())?;
    Ok(as_text(&Value::Interval { months: 0, days, micros: span % DAY }))
}

/// An interval as the number by which PostgreSQL orders it: months have 30 days, days 24 hours.
pub(super) fn interval_span(arguments: &[Value]) -> Result<Value> {
    let (months, days, micros) = interval(text(arguments, 0)?)?;
    let days = i64::from(months) * 30 + i64::from(days);
    days.checked_mul(DAY).and_then(|span| span.checked_add(micros)).map(Value::Int).ok_or_else(out_of_range)
}

/// The date of a timestamp.
pub(super) fn date(arguments: &[Value]) -> Result<Value> {
    let days = i32::try_from(integer(arguments, 0)?.div_euclid(DAY)).map_err(|_| out_of_range())?;
    Ok(as_text(&Value::Date(days)))
}

/// What clocks of the session's zone show at a moment.
pub(super) fn local(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(zone::local(integer(arguments, 0)?)))
}

/// When they show this.
pub(super) fn instant(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(zone::instant(integer(arguments, 0)?)))
}

/// The same of a zone by name.
pub(super) fn local_in(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(named(text(arguments, 0)?)?.local(integer(arguments, 1)?)))
}

pub(super) fn instant_in(arguments: &[Value]) -> Result<Value> {
    Ok(Value::Int(named(text(arguments, 0)?)?.instant(integer(arguments, 1)?)))
}

fn named(zone: &str) -> Result<Zone> {
    let unknown =
        || Error::new(ErrorKind::InvalidInput, "22023", format!("time zone \"{zone}\" not recognized"));
    Zone::named(zone).ok_or_else(unknown)
}

/// A part of a timestamp, as `extract` gives it: a number as a text.
pub(super) fn extract(arguments: &[Value]) -> Result<Value> {
    let (field, moment) = (text(arguments, 0)?, integer(arguments, 1)?);
    let (day, rest) = (moment.div_euclid(DAY), moment.rem_euclid(DAY));
    let (year, month, day_of_month) = date_of(day);
    // PostgreSQL's years have no zero.
    let shown = if year > 0 { year } else { year - 1 };
    let scaled = |number: i64, scale: u32| {
        let unit = 10_i64.pow(scale);
        let sign = if number < 0 { "-" } else { "" };
        let (whole, part) =
            (number.unsigned_abs() / unit.unsigned_abs(), number.unsigned_abs() % unit.unsigned_abs());
        format!("{sign}{whole}.{part:0width$}", width = scale as usize)
    };
    let number = match field {
        "epoch" => return Ok(Value::Text(scaled(moment, 6))),
        "second" => return Ok(Value::Text(scaled(rest % 60_000_000, 6))),
        "milliseconds" => return Ok(Value::Text(scaled(rest % 60_000_000, 3))),
        "microseconds" => rest % 60_000_000,
        "minute" => rest / 60_000_000 % 60,
        "hour" => rest / 3_600_000_000,
        "day" => i64::from(day_of_month),
        "month" => i64::from(month),
        "quarter" => i64::from((month - 1) / 3 + 1),
        "year" => shown,
        "decade" => year.div_euclid(10),
        "century" if year > 0 => (year + 99) / 100,
        "week" => super::templates::iso_week(day).1,
        "dow" => (day + 4).rem_euclid(7),
        "isodow" => (day + 3).rem_euclid(7) + 1,
        "doy" => day - days_of(year, 1, 1) + 1,
        _ => return Err(Error::invalid_input(format!("unit \"{field}\" not recognized"))),
    };
    Ok(Value::Text(number.to_string()))
}

/// A timestamp cut to a unit.
pub(super) fn truncate(arguments: &[Value]) -> Result<Value> {
    let (unit, moment) = (text(arguments, 0)?, integer(arguments, 1)?);
    let day = moment.div_euclid(DAY);
    let (year, month, _) = date_of(day);
    let start = match unit {
        "microseconds" => return Ok(Value::Int(moment)),
        "second" => return Ok(Value::Int(moment - moment.rem_euclid(1_000_000))),
        "minute" => return Ok(Value::Int(moment - moment.rem_euclid(60_000_000))),
        "hour" => return Ok(Value::Int(moment - moment.rem_euclid(3_600_000_000))),
        "day" => day,
        "week" => day - (day + 3).rem_euclid(7),
        "month" => days_of(year, month, 1),
        "quarter" => days_of(year, (month - 1) / 3 * 3 + 1, 1),
        _ => days_of(year, 1, 1),
    };
    start.checked_mul(DAY).map(Value::Int).ok_or_else(out_of_range)
}
