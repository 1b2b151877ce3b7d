//! Intervals: computed of numbers, of moments, and with numbers; times of day.
//!
//! <https://www.postgresql.org/docs/15/functions-datetime.html>

use truststream_kernel::value::calendar::{DAY, date_of, days_in_month, days_of};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};

use super::{integer, text};

fn out_of_range(what: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22008", format!("{what} out of range"))
}

fn interval(text: &str) -> Result<(i32, i32, i64)> {
    match Value::parse(&Type::Interval, text)? {
        Value::Interval { months, days, micros } => Ok((months, days, micros)),
        _ => Err(Error::internal("an interval was expected")),
    }
}

fn time(text: &str) -> Result<i64> {
    match Value::parse(&Type::Time, text)? {
        Value::Time(micros) => Ok(micros),
        _ => Err(Error::internal("a time was expected")),
    }
}

fn as_text(value: &Value) -> Value {
    value.to_text().map_or(Value::Null, Value::Text)
}

fn number(arguments: &[Value], index: usize) -> Result<f64> {
    match arguments.get(index) {
        Some(Value::Float(number)) => Ok(*number),
        Some(Value::Int(number)) => Ok(*number as f64),
        _ => Err(Error::internal("a function was called with something else than a number")),
    }
}

/// PostgreSQL rounds to microseconds before it looks for what is left.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round_ties_even() / 1e6
}

/// `interval * number`, `interval / number`: what is left of a month is days of which it has 30, and of a day
/// hours.
pub(super) fn scaled(arguments: &[Value]) -> Result<Value> {
    let ((months, days, micros), factor) = (interval(text(arguments, 0)?)?, number(arguments, 1)?);
    let divides = integer(arguments, 2)? == 1;
    if divides && factor == 0.0 {
        return Err(crate::numeric::division_by_zero());
    }
    let by = |part: f64| if divides { part / factor } else { part * factor };
    let whole = |part: f64| {
        let fits = part.is_finite() && part >= f64::from(i32::MIN) && part <= f64::from(i32::MAX);
        fits.then_some(part as i32).ok_or_else(|| out_of_range("interval"))
    };
    let (of_months, of_days) = (by(f64::from(months)), by(f64::from(days)));
    let (new_months, mut new_days) = (whole(of_months)?, whole(of_days)?);
    let month_rest = rounded((of_months - f64::from(new_months)) * 30.0);
    let mut seconds =
        rounded((of_days - f64::from(new_days) + month_rest - f64::from(whole(month_rest)?)) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        let more = whole(seconds / 86_400.0)?;
        new_days = new_days.checked_add(more).ok_or_else(|| out_of_range("interval"))?;
        seconds -= f64::from(more) * 86_400.0;
    }
    let new_days = new_days.checked_add(whole(month_rest)?).ok_or_else(|| out_of_range("interval"))?;
    let micros = (by(micros as f64) + seconds * 1e6).round_ties_even();
    if !(-9.2e18..=9.2e18).contains(&micros) {
        return Err(out_of_range("interval"));
    }
    Ok(as_text(&Value::Interval { months: new_months, days: new_days, micros: micros as i64 }))
}

/// `interval + interval`, `interval - interval` (with -1 as the last argument).
pub(super) fn sum(arguments: &[Value]) -> Result<Value> {
    let (left, right) = (interval(text(arguments, 0)?)?, interval(text(arguments, 1)?)?);
    let sign = i32::try_from(integer(arguments, 2)?).unwrap_or(1);
    let add = |left: i32, right: i32| right.checked_mul(sign).and_then(|right| left.checked_add(right));
    let micros = right.2.checked_mul(sign.into()).and_then(|right| left.2.checked_add(right));
    match (add(left.0, right.0), add(left.1, right.1), micros) {
        (Some(months), Some(days), Some(micros)) => Ok(as_text(&Value::Interval { months, days, micros })),
        _ => Err(out_of_range("interval")),
    }
}

/// `make_interval(years, months, weeks, days, hours, mins, secs)`
pub(super) fn make_interval(arguments: &[Value]) -> Result<Value> {
    let part = |at: usize| integer(arguments, at);
    let days = |days: Option<i64>| days.and_then(|days| i32::try_from(days).ok());
    let months = days(part(0)?.checked_mul(12).and_then(|months| months.checked_add(part(1).ok()?)));
    let days = days(part(2)?.checked_mul(7).and_then(|days| days.checked_add(part(3).ok()?)));
    let seconds = (number(arguments, 6)? * 1e6).round_ties_even();
    let micros = (part(4)?.checked_mul(60))
        .and_then(|minutes| minutes.checked_add(part(5).ok()?))
        .and_then(|minutes| minutes.checked_mul(60_000_000))
        .filter(|_| seconds.abs() < 9.2e18)
        .and_then(|micros| micros.checked_add(seconds as i64));
    match (months, days, micros) {
        (Some(months), Some(days), Some(micros)) => Ok(as_text(&Value::Interval { months, days, micros })),
        _ => Err(out_of_range("interval")),
    }
}

/// `make_date(year, month, day)`; years before Christ are negative.
pub(super) fn make_date(arguments: &[Value]) -> Result<Value> {
    let (year, month, day) = (integer(arguments, 0)?, integer(arguments, 1)?, integer(arguments, 2)?);
    let refused = || {
        let message = format!("date field value out of range: {year}-{month:02}-{day:02}");
        Error::new(ErrorKind::InvalidInput, "22008", message)
    };
    if year == 0 || year.abs() > 5_874_897 {
        return Err(refused());
    }
    let of_calendar = if year < 0 { year + 1 } else { year };
    let (Ok(month_of), Ok(day_of)) = (u32::try_from(month), u32::try_from(day)) else {
        return Err(refused());
    };
    if !(1..=12).contains(&month_of) || day_of == 0 || day_of > days_in_month(of_calendar, month_of) {
        return Err(refused());
    }
    let days = i32::try_from(days_of(of_calendar, month_of, day_of)).map_err(|_| refused())?;
    Ok(as_text(&Value::Date(days)))
}

/// `make_time(hour, minute, second)`, in microseconds, as an argument of [`make_timestamp`].
fn clock(arguments: &[Value], from: usize) -> Result<i64> {
    let (hour, minute, second) =
        (integer(arguments, from)?, integer(arguments, from + 1)?, number(arguments, from + 2)?);
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    if !fits {
        let message = format!("time field value out of range: {hour}:{minute:02}:{second:02}");
        return Err(Error::new(ErrorKind::InvalidInput, "22008", message));
    }
    Ok((hour * 60 + minute) * 60_000_000 + (second * 1e6).round_ties_even() as i64)
}

pub(super) fn make_time(arguments: &[Value]) -> Result<Value> {
    Ok(as_text(&Value::Time(clock(arguments, 0)?)))
}

/// `make_timestamp(year, month, day, hour, minute, second)`
pub(super) fn make_timestamp(arguments: &[Value]) -> Result<Value> {
    let Value::Text(date) = make_date(arguments)? else { return Ok(Value::Null) };
    let Value::Date(days) = Value::parse(&Type::Date, &date)? else { return Ok(Value::Null) };
    let moment =
        i64::from(days).checked_mul(DAY).and_then(|start| start.checked_add(clock(arguments, 3).ok()?));
    clock(arguments, 3)?;
    moment.map(Value::Int).ok_or_else(|| out_of_range("timestamp"))
}

/// `age(later, earlier)`, both as clocks show them: years, months and days of the calendar.
pub(super) fn age(arguments: &[Value]) -> Result<Value> {
    let (left, right) = (integer(arguments, 0)?, integer(arguments, 1)?);
    let (later, earlier, sign) = if left < right { (right, left, -1) } else { (left, right, 1) };
    let parts = |moment: i64| (date_of(moment.div_euclid(DAY)), moment.rem_euclid(DAY));
    let ((year, month, day), time) = parts(later);
    let ((from_year, from_month, from_day), from_time) = parts(earlier);
    let mut micros = time - from_time;
    let mut days = i64::from(day) - i64::from(from_day);
    let mut months = (year - from_year) * 12 + i64::from(month) - i64::from(from_month);
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    while days < 0 {
        days += i64::from(days_in_month(from_year, from_month));
        months -= 1;
    }
    let whole = |number: i64| i32::try_from(sign * number).map_err(|_| out_of_range("interval"));
    Ok(as_text(&Value::Interval { months: whole(months)?, days: whole(days)?, micros: sign * micros }))
}

/// A part of an interval, as `extract` gives it: a number as a text.
pub(super) fn extract(arguments: &[Value]) -> Result<Value> {
    let (field, (months, days, micros)) = (text(arguments, 0)?, interval(text(arguments, 1)?)?);
    let scaled = |number: i128, scale: u32| {
        let unit = 10_u128.pow(scale);
        let sign = if number < 0 { "-" } else { "" };
        let (whole, part) = (number.unsigned_abs() / unit, number.unsigned_abs() % unit);
        format!("{sign}{whole}.{part:0width$}", width = scale as usize)
    };
    let number = match field {
        "epoch" => {
            // A year has 365.25 days here, a month 30.
            let (years, rest) = (i128::from(months / 12), i128::from(months % 12));
            let seconds = years * 31_557_600 + (rest * 30 + i128::from(days)) * 86_400;
            return Ok(Value::Text(scaled(seconds * 1_000_000 + i128::from(micros), 6)));
        }
        "second" => return Ok(Value::Text(scaled((micros % 60_000_000).into(), 6))),
        "milliseconds" => return Ok(Value::Text(scaled((micros % 60_000_000).into(), 3))),
        "microseconds" => micros % 60_000_000,
        "minute" => micros / 60_000_000 % 60,
        "hour" => micros / 3_600_000_000,
        "day" => days.into(),
        "month" => i64::from(months % 12),
        "quarter" => i64::from(months % 12 / 3 + 1),
        "year" => i64::from(months / 12),
        "decade" => i64::from(months / 120),
        "century" => i64::from(months / 1200),
        other => return Err(Error::unsupported(format!("unit \"{other}\" of an interval"))),
    };
    Ok(Value::Text(number.to_string()))
}

/// `justify_days`, `justify_hours`, `justify_interval`, by the last word of their names.
pub(super) fn justify(arguments: &[Value]) -> Result<Value> {
    let (what, (months, days, micros)) = (text(arguments, 0)?, interval(text(arguments, 1)?)?);
    let (mut months, mut days, mut micros) = (i64::from(months), i64::from(days), micros);
    let hours = |days: &mut i64, micros: &mut i64| {
        *days += *micros / DAY;
        *micros %= DAY;
    };
    if what == "hours" {
        hours(&mut days, &mut micros);
        align(&mut days, &mut micros, DAY);
    }
    if what == "days" {
        months += days / 30;
        days %= 30;
        align(&mut months, &mut days, 30);
    }
    let whole = |number: i64| i32::try_from(number).map_err(|_| out_of_range("interval"));
    Ok(as_text(&Value::Interval { months: whole(months)?, days: whole(days)?, micros }))
}

/// Gives both parts one sign.
fn align(large: &mut i64, small: &mut i64, unit: i64) {
    if *large > 0 && *small < 0 {
        *small += unit;
        *large -= 1;
    } else if *large < 0 && *small > 0 {
        *small -= unit;
        *large += 1;
    }
}

/// `time + interval`, `time - interval` (with -1): around the clock.
pub(super) fn shift_time(arguments: &[Value]) -> Result<Value> {
    let (clock, (_, _, micros)) = (time(text(arguments, 0)?)?, interval(text(arguments, 1)?)?);
    let moved = clock + integer(arguments, 2)? * (micros % DAY);
    Ok(as_text(&Value::Time(moved.rem_euclid(DAY))))
}

/// `time - time`
pub(super) fn between_times(arguments: &[Value]) -> Result<Value> {
    let micros = time(text(arguments, 0)?)? - time(text(arguments, 1)?)?;
    Ok(as_text(&Value::Interval { months: 0, days: 0, micros }))
}
