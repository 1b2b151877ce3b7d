//! Intervals: PostgreSQL's, ISO 8601's, SQL's and the verbose input forms; PostgreSQL's output.

use std::fmt::Write as _;

use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::{Value, fault};
use crate::{Error, ErrorKind, Result};

/// Reads an interval in any of its forms.
pub(super) fn parse(text: &str) -> Result<Value> {
    let trimmed = text.trim_matches(super::is_space);
    let mut sum = Sum::default();
    let read = match trimmed.as_bytes() {
        [] => None,
        [b'P', rest @ ..] if !rest.is_empty() => sum.iso(&trimmed[1..]),
        _ => sum.words(trimmed),
    };
    read.ok_or_else(|| fault::syntax("interval", text))?;
    sum.value().ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "22015", format!("interval field value out of range: \"{text}\""))
    })
}

/// PostgreSQL's text form: `1 year 2 mons 3 days 04:05:06.789`.
pub(super) fn text(months: i32, days: i32, micros: i64) -> String {
    let mut out = String::new();
    let mut after_negative = false;
    let parts = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
        let space = if out.is_empty() { "" } else { " " };
        let sign = if after_negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        let _ = write!(out, "{space}{sign}{count} {unit}{plural}");
        after_negative = count < 0;
    }
    if micros != 0 || out.is_empty() {
        let space = if out.is_empty() { "" } else { " " };
        let sign = match (micros < 0, after_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let magnitude = micros.unsigned_abs();
        let seconds = magnitude / SECOND as u64;
        let _ =
            write!(out, "{space}{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
        super::text::push_fraction(&mut out, magnitude % SECOND as u64);
    }
    out
}

/// What the parts read so far add up to.
#[derive(Default)]
struct Sum {
    months: i128,
    days: i128,
    micros: i128,
}

impl Sum {
    fn value(&self) -> Option<Value> {
        Some(Value::Interval {
            months: i32::try_from(self.months).ok()?,
            days: i32::try_from(self.days).ok()?,
            micros: i64::try_from(self.micros).ok()?,
        })
    }

    /// Adds a number of units; fractions of months spill into days, those of days into time.
    fn add(&mut self, number: Number, unit: Unit) {
        let (whole, fraction) = (i128::from(number.whole), number.fraction);
        match unit {
            Unit::Months(factor) => {
                self.months += whole * i128::from(factor);
                let months = fraction * f64::from(factor);
                if factor == 1 {
                    self.add_days(months * 30.0);
                } else {
                    self.months += months.round_ties_even() as i128;
                }
            }
            Unit::Days(factor) => {
                self.days += whole * i128::from(factor);
                self.add_days(fraction * f64::from(factor));
            }
            Unit::Micros(factor) => {
                self.micros += whole * i128::from(factor);
                self.micros += (fraction * factor as f64).round_ties_even() as i128;
            }
        }
    }

    fn add_days(&mut self, days: f64) {
        self.days += days.trunc() as i128;
        self.micros += (days.fract() * DAY as f64).round_ties_even() as i128;
    }

    /// `1 year 2 mons 3 days 04:05:06`, `@ 1 hour ago`, `1-2 3 4:05:06`, `1h30m`.
    fn words(&mut self, text: &str) -> Option<()> {
        let mut words = split(text);
        if words.first() == Some(&"@") {
            words.remove(0);
        }
        let ago = words.last().is_some_and(|word| word.eq_ignore_ascii_case("ago"));
        if ago {
            words.pop();
        }
        let mut rest = &words[..];
        let mut seen: Vec<Unit> = Vec::new();
        if rest.is_empty() {
            return None;
        }
        while let [first, after @ ..] = rest {
            rest = after;
            if first.contains(':') {
                self.micros += i128::from(clock(first)?);
            } else if let Some((years, months)) = year_month(first) {
                self.months += i128::from(years * 12 + months);
            } else {
                let number = Number::read(first)?;
                let (unit, after) = match after.split_first() {
                    // A bare number before a time of day means days, at the end seconds.
                    Some((next, _)) if next.contains(':') => (Unit::Days(1), after),
                    None => (Unit::Micros(SECOND), after),
                    Some((next, after)) => (unit(&next.to_ascii_lowercase())?, after),
                };
                if seen.contains(&unit) {
                    return None;
                }
                seen.push(unit);
                self.add(number, unit);
                rest = after;
            }
        }
        if ago {
            (self.months, self.days, self.micros) = (-self.months, -self.days, -self.micros);
        }
        Some(())
    }

    /// After the `P` of ISO 8601: `1Y2M3DT4H5M6S`, `0001-02-03T04:05:06` or `20240203`.
    fn iso(&mut self, text: &str) -> Option<()> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let alternative = date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && !date.is_empty();
        if alternative {
            let (years, months, days) = alternative_date(date)?;
            self.months += i128::from(years) * 12 + i128::from(months);
            self.days += i128::from(days);
        } else {
            self.designators(date, |letter| match letter {
                'Y' => Some(Unit::Months(12)),
                'M' => Some(Unit::Months(1)),
                'W' => Some(Unit::Days(7)),
                'D' => Some(Unit::Days(1)),
                _ => None,
            })?;
        }
        let Some(time) = time.filter(|time| !time.is_empty()) else { return Some(()) };
        if time.contains(':') {
            self.micros += i128::from(clock(time)?);
            return Some(());
        }
        self.designators(time, |letter| match letter {
            'H' => Some(Unit::Micros(HOUR)),
            'M' => Some(Unit::Micros(MINUTE)),
            'S' => Some(Unit::Micros(SECOND)),
            _ => None,
        })
    }

    fn designators(&mut self, mut text: &str, unit: impl Fn(char) -> Option<Unit>) -> Option<()> {
        while !text.is_empty() {
            let end = text.find(|c: char| c.is_ascii_alphabetic())?;
            let number = Number::read(&text[..end])?;
            self.add(number, unit(char::from(text.as_bytes()[end]))?);
            text = &text[end + 1..];
        }
        Some(())
    }
}

/// Years, months and days of `0001-02-03` or `00010203`.
fn alternative_date(date: &str) -> Option<(i64, i64, i64)> {
    if date.len() == 8
        && let Ok(number) = date.parse::<i64>()
    {
        return Some((number / 10_000, number / 100 % 100, number % 100));
    }
    let mut pieces = date.split('-').map(|piece| piece.parse::<i64>().ok());
    let fields = (pieces.next()??, pieces.next().unwrap_or(Some(0))?, pieces.next().unwrap_or(Some(0))?);
    pieces.next().is_none().then_some(fields)
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Months(i32),
    Days(i32),
    Micros(i64),
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name {
        "millennium" | "millennia" | "mil" | "mils" | "millenniums" => Unit::Months(12_000),
        "century" | "centuries" | "cent" | "c" => Unit::Months(1_200),
        "decade" | "decades" | "dec" | "decs" => Unit::Months(120),
        "year" | "years" | "y" | "yr" | "yrs" => Unit::Months(12),
        "month" | "months" | "mon" | "mons" => Unit::Months(1),
        "week" | "weeks" | "w" => Unit::Days(7),
        "day" | "days" | "d" => Unit::Days(1),
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Micros(HOUR),
        "minute" | "minutes" | "m" | "min" | "mins" => Unit::Micros(MINUTE),
        "second" | "seconds" | "s" | "sec" | "secs" => Unit::Micros(SECOND),
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" | "msecond" | "mseconds" => {
            Unit::Micros(1_000)
        }
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" | "usecond" | "useconds" => Unit::Micros(1),
        _ => return None,
    })
}

/// A signed number, whole part and fraction apart so that large ones stay exact.
#[derive(Clone, Copy)]
struct Number {
    whole: i64,
    fraction: f64,
}

impl Number {
    fn read(text: &str) -> Option<Number> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fraction: f64 = format!("0.{fraction}0").parse().ok()?;
        Some(if negative {
            Number { whole: -whole, fraction: -fraction }
        } else {
            Number { whole, fraction }
        })
    }
}

/// Splits into words, and between numbers and the letters that follow (`1h` → `1`, `h`).
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for word in text.split(super::is_space).filter(|word| !word.is_empty()) {
        let mut start = 0;
        let mut last = ' ';
        for (at, c) in word.char_indices() {
            if at > 0 && c.is_ascii_alphabetic() != last.is_ascii_alphabetic() && last != '@' {
                words.push(&word[start..at]);
                start = at;
            } else if last == '@' {
                words.push("@");
                start = at;
            }
            last = c;
        }
        words.push(&word[start..]);
    }
    words
}

/// `1-2`: years and months of the SQL standard.
fn year_month(text: &str) -> Option<(i64, i64)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (years, months) = digits.split_once('-')?;
    let (years, months): (i64, i64) = (years.parse().ok()?, months.parse().ok()?);
    let sign = if negative { -1 } else { 1 };
    (0..12).contains(&months).then_some((sign * years, sign * months))
}

/// `[-]hh:mm[:ss[.ffffff]]` in microseconds; hours are not limited, and `mm:ss.fff` is minutes.
fn clock(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let pieces: Vec<&str> = digits.split(':').collect();
    let (hour, minute, second) = match pieces[..] {
        [minute, second] if second.contains('.') => ("0", minute, second),
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let whole =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let (hour, minute, second) = (whole(hour)?, whole(minute)?, Number::read(second)?);
    if minute > 59 || !(0..=60).contains(&second.whole) {
        return None;
    }
    let micros = (second.fraction * SECOND as f64).round_ties_even() as i64;
    let total = hour.checked_mul(HOUR)?.checked_add(minute * MINUTE + second.whole * SECOND + micros)?;
    Some(if negative { -total } else { total })
}
