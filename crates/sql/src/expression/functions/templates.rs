//! Templates of moments: `to_char`, `to_date` and `to_timestamp`.
//!
//! <https://www.postgresql.org/docs/15/functions-formatting.html>

use truststream_kernel::value::calendar::{DAY, date_of, days_in_month, days_of};
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, text};

/// Patterns, longer ones first where one begins with another.
const PATTERNS: &[&str] = &[
    "Y,YYY", "YYYY", "IYYY", "SSSSS", "SSSS", "MONTH", "HH24", "HH12", "IDDD", "A.M.", "P.M.", "A.D.",
    "B.C.", "TZH", "TZM", "YYY", "IYY", "DDD", "DAY", "MON", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "YY",
    "IY", "HH", "MI", "MM", "MS", "SS", "US", "AM", "PM", "AD", "BC", "DD", "DY", "ID", "IW", "WW", "CC",
    "TZ", "OF", "RM", "TM", "FX", "Y", "I", "D", "W", "J", "Q",
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The letters of a pattern: `MONTH`, `Month`, `month`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Case {
    Upper,
    First,
    Lower,
}

#[derive(Debug)]
enum Part<'a> {
    Text(&'a str),
    Pattern {
        name: &'static str,
        case: Case,
        /// `FM`: without what fills it up.
        bare: bool,
        /// `th` or `TH` behind it.
        ordinal: Option<&'a str>,
    },
}

fn parts(template: &str) -> Vec<Part<'_>> {
    let (mut found, mut rest) = (Vec::new(), template);
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            found.push(Part::Text(&quoted[..end]));
            rest = quoted.get(end + 1..).unwrap_or_default();
            continue;
        }
        let (bare, after) = match rest.strip_prefix("FM").or_else(|| rest.strip_prefix("fm")) {
            Some(after) => (true, after),
            None => (false, rest),
        };
        if let Some((name, case)) = pattern(after) {
            let mut behind = &after[name.len()..];
            let ordinal = behind.get(..2).filter(|two| matches!(*two, "th" | "TH"));
            if ordinal.is_some() {
                behind = &behind[2..];
            }
            found.push(Part::Pattern { name, case, bare, ordinal });
            rest = behind;
            continue;
        }
        let length = after.chars().next().map_or(0, char::len_utf8);
        found.push(Part::Text(&after[..length]));
        rest = &after[length..];
    }
    found
}

fn pattern(rest: &str) -> Option<(&'static str, Case)> {
    PATTERNS.iter().find_map(|name| {
        let written = rest.get(..name.len())?;
        if written == *name {
            return Some((*name, Case::Upper));
        }
        if written == name.to_ascii_lowercase() {
            return Some((*name, Case::Lower));
        }
        let named = matches!(*name, "MONTH" | "MON" | "DAY" | "DY");
        let first = named && written[..1] == name[..1] && written[1..] == name[1..].to_ascii_lowercase();
        first.then_some((*name, Case::First))
    })
}

fn beyond(pattern: &str) -> Error {
    Error::unsupported(format!(
        "the pattern {pattern} in templates of dates is not supported by this database"
    ))
}

/// A date as a calendar shows it, and what of the day has passed.
struct Shown {
    year: i64,
    month: u32,
    day: u32,
    days: i64,
    micros: i64,
}

impl Shown {
    fn of(local: i64) -> Self {
        let (days, micros) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        Shown { year, month, day, days, micros }
    }

    fn hour(&self) -> i64 {
        self.micros / 3_600_000_000
    }

    fn day_of_year(&self) -> i64 {
        self.days - days_of(self.year, 1, 1) + 1
    }

    fn week_day(&self) -> i64 {
        (self.days + 4).rem_euclid(7)
    }

    /// Year and week of ISO 8601: those of the week's Thursday.
    fn iso(&self) -> (i64, i64) {
        let thursday = self.days - (self.week_day() + 6).rem_euclid(7) + 3;
        let (year, ..) = date_of(thursday);
        (year, (thursday - days_of(year, 1, 1)) / 7 + 1)
    }
}

/// Year and week of ISO 8601 that a day, counted from 1970, is in.
pub(super) fn iso_week(days: i64) -> (i64, i64) {
    Shown::of(days.saturating_mul(DAY)).iso()
}

/// `to_char(moment, template)`: the moment as clocks show it.
pub(super) fn to_char(arguments: &[Value]) -> Result<Value> {
    let (moment, template) = (integer(arguments, 0)?, text(arguments, 1)?);
    if moment == i64::MAX || moment == i64::MIN || template.is_empty() {
        return Ok(Value::Null);
    }
    let shown = Shown::of(moment);
    let mut out = String::new();
    for part in parts(template) {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Pattern { name, case, bare, ordinal } => {
                let before = out.len();
                write(&shown, name, case, bare, &mut out)?;
                if let Some(letters) = ordinal {
                    let ending = ending(&out[before..]);
                    out.push_str(&if letters == "TH" {
                        ending.to_ascii_uppercase()
                    } else {
                        ending.to_owned()
                    });
                }
            }
        }
    }
    Ok(Value::Text(out))
}

/// `st`, `nd`, `rd` or `th`.
fn ending(number: &str) -> &'static str {
    let tens = number.len() >= 2 && number.as_bytes()[number.len() - 2] == b'1';
    match number.as_bytes().last() {
        Some(b'1') if !tens => "st",
        Some(b'2') if !tens => "nd",
        Some(b'3') if !tens => "rd",
        _ => "th",
    }
}

fn write(shown: &Shown, name: &str, case: Case, bare: bool, out: &mut String) -> Result<()> {
    let mut number = |number: i64, width: usize| {
        let width = if bare { 0 } else { width + usize::from(number < 0) };
        out.push_str(&format!("{number:0width$}"));
    };
    // PostgreSQL's years have no zero.
    let of_era = |year: i64| if year > 0 { year } else { 1 - year };
    let year = of_era(shown.year);
    let (iso_year, iso_week) = shown.iso();
    let iso_year = of_era(iso_year);
    match name {
        "YYYY" => number(year, 4),
        "YYY" => number(year % 1000, 3),
        "YY" => number(year % 100, 2),
        "Y" => number(year % 10, 1),
        "IYYY" => number(iso_year, 4),
        "IYY" => number(iso_year % 1000, 3),
        "IY" => number(iso_year % 100, 2),
        "I" => number(iso_year % 10, 1),
        "MM" => number(shown.month.into(), 2),
        "DD" => number(shown.day.into(), 2),
        "DDD" => number(shown.day_of_year(), 3),
        "IDDD" => number((iso_week - 1) * 7 + (shown.week_day() + 6).rem_euclid(7) + 1, 3),
        "D" => number(shown.week_day() + 1, 1),
        "ID" => number((shown.week_day() + 6).rem_euclid(7) + 1, 1),
        "W" => number(i64::from(shown.day - 1) / 7 + 1, 1),
        "WW" => number((shown.day_of_year() - 1) / 7 + 1, 2),
        "IW" => number(iso_week, 2),
        "Q" => number(i64::from((shown.month - 1) / 3 + 1), 1),
        "CC" if shown.year > 0 => number((shown.year + 99) / 100, 2),
        "J" => number(shown.days + 2_440_588, 1),
        "HH24" => number(shown.hour(), 2),
        "HH" | "HH12" => number((shown.hour() + 11) % 12 + 1, 2),
        "MI" => number(shown.micros / 60_000_000 % 60, 2),
        "SS" => number(shown.micros / 1_000_000 % 60, 2),
        "SSSS" | "SSSSS" => number(shown.micros / 1_000_000, 1),
        "MS" => number(shown.micros / 1000 % 1000, 3),
        "US" => number(shown.micros % 1_000_000, 6),
        "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let digits = usize::from(name.as_bytes()[2] - b'0');
            out.push_str(&format!("{:06}", shown.micros % 1_000_000)[..digits]);
        }
        "Y,YYY" => out.push_str(&format!("{},{:03}", year / 1000, year % 1000)),
        "MONTH" => word(MONTHS[shown.month as usize - 1], case, bare, out),
        "DAY" => word(DAYS[usize::try_from(shown.week_day()).unwrap_or(0)], case, bare, out),
        "MON" => word(&MONTHS[shown.month as usize - 1][..3], case, true, out),
        "DY" => word(&DAYS[usize::try_from(shown.week_day()).unwrap_or(0)][..3], case, true, out),
        "AM" | "PM" => word(if shown.hour() >= 12 { "Pm" } else { "Am" }, case, true, out),
        "A.M." | "P.M." => word(if shown.hour() >= 12 { "P.m." } else { "A.m." }, case, true, out),
        "AD" | "BC" => word(if shown.year > 0 { "Ad" } else { "Bc" }, case, true, out),
        "A.D." | "B.C." => word(if shown.year > 0 { "A.d." } else { "B.c." }, case, true, out),
        other => return Err(beyond(other)),
    }
    Ok(())
}

/// A name, filled up to that of the longest month or day.
fn word(name: &str, case: Case, bare: bool, out: &mut String) {
    let name = match case {
        Case::Upper => name.to_ascii_uppercase(),
        Case::First => name.to_owned(),
        Case::Lower => name.to_ascii_lowercase(),
    };
    out.push_str(&if bare { name } else { format!("{name:<9}") });
}

fn invalid(code: &'static str, message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message)
}

/// What was read of a text so far.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    of_twelve: bool,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
}

/// `to_date(text, template)`: the day, as a timestamp.
pub(super) fn to_date(arguments: &[Value]) -> Result<Value> {
    let local = read(text(arguments, 0)?, text(arguments, 1)?)?;
    Ok(Value::Int(local - local.rem_euclid(DAY)))
}

/// `to_timestamp(text, template)`: what clocks showed.
pub(super) fn to_timestamp(arguments: &[Value]) -> Result<Value> {
    read(text(arguments, 0)?, text(arguments, 1)?).map(Value::Int)
}

fn is_separator(sign: char) -> bool {
    sign.is_ascii() && !sign.is_ascii_alphanumeric() && !sign.is_ascii_control()
}

fn read(given: &str, template: &str) -> Result<i64> {
    let parts = parts(template);
    let (mut rest, mut read) = (given, Read::default());
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => {
                // Any separator stands for any other; what is none passes one character over.
                let separates = text.chars().all(is_separator);
                let sign = rest.chars().next().filter(|sign| !separates || is_separator(*sign));
                let Some(sign) = sign else {
                    let message = format!("\"{given}\" is not written as \"{template}\"");
                    return Err(invalid("22007", message));
                };
                rest = &rest[sign.len_utf8()..];
            }
            Part::Pattern { name, bare, ordinal, .. } => {
                rest = rest.trim_start_matches(' ');
                let alone = *bare || !matches!(parts.get(at + 1), Some(Part::Pattern { .. }));
                rest = field(rest, name, alone, &mut read)?;
                if ordinal.is_some() {
                    rest = rest.get(2..).unwrap_or_default();
                }
            }
        }
    }
    moment(given, &read)
}

/// Reads one pattern's value; one that stands alone may have any number of digits.
fn field<'a>(rest: &'a str, name: &str, alone: bool, read: &mut Read) -> Result<&'a str> {
    if matches!(name, "MONTH" | "MON") {
        let long = MONTHS.iter().position(|month| begins(rest, month)).map(|at| (at, MONTHS[at].len()));
        let found =
            long.or_else(|| MONTHS.iter().position(|month| begins(rest, &month[..3])).map(|at| (at, 3)));
        let (at, length) = found.ok_or_else(|| no_value(rest, name))?;
        read.month = i64::try_from(at + 1).ok();
        return Ok(&rest[length..]);
    }
    if matches!(name, "DAY" | "DY") {
        let long = DAYS.iter().find(|day| begins(rest, day)).map(|day| day.len());
        let length = long.or_else(|| DAYS.iter().any(|day| begins(rest, &day[..3])).then_some(3));
        return Ok(&rest[length.ok_or_else(|| no_value(rest, name))?..]);
    }
    if matches!(name, "AM" | "PM") {
        let afternoon = [("am", false), ("pm", true)].into_iter().find(|(word, _)| begins(rest, word));
        read.afternoon = Some(afternoon.ok_or_else(|| no_value(rest, name))?.1);
        return Ok(&rest[2..]);
    }
    let width = match name {
        "YYYY" => 4,
        "YYY" | "DDD" | "MS" => 3,
        "YY" | "MM" | "DD" | "HH24" | "HH12" | "HH" | "MI" | "SS" => 2,
        "Y" => 1,
        "US" => 6,
        other => return Err(beyond(other)),
    };
    let digits = rest.len() - rest.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
    let digits = if alone { digits } else { digits.min(width) };
    let number: i64 = rest[..digits].parse().map_err(|_| no_value(rest, name))?;
    let scaled = |places: u32| {
        let missing = places.checked_sub(u32::try_from(digits).unwrap_or(u32::MAX));
        missing.map(|missing| number * 10_i64.pow(missing)).ok_or_else(|| no_value(rest, name))
    };
    match name {
        // Two digits are of the years around 2000.
        "YY" | "YYY" | "Y" if digits <= width => {
            read.year = Some(match (width, number) {
                (3, number) if number >= 520 => 1000 + number,
                (3, number) => 2000 + number,
                (_, number) if number < 70 => 2000 + number,
                (_, number) => 1900 + number,
            });
        }
        "YYYY" | "YYY" | "YY" | "Y" => read.year = Some(number),
        "MM" => read.month = Some(number),
        "DD" => read.day = Some(number),
        "DDD" => read.day_of_year = Some(number),
        "HH24" => read.hour = number,
        "HH" | "HH12" => (read.hour, read.of_twelve) = (number, true),
        "MI" => read.minute = number,
        "SS" => read.second = number,
        "MS" => read.micros += scaled(3)? * 1000,
        _ => read.micros += scaled(6)?,
    }
    Ok(&rest[digits..])
}

fn begins(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn no_value(rest: &str, name: &str) -> Error {
    let shown: String = rest.chars().take(name.len()).collect();
    invalid("22007", format!("invalid value \"{shown}\" for \"{name}\""))
}

fn moment(given: &str, read: &Read) -> Result<i64> {
    let out_of_range = || invalid("22008", format!("date/time field value out of range: \"{given}\""));
    if read.of_twelve && !(1..=12).contains(&read.hour) {
        let message = format!("hour \"{}\" is invalid for the 12-hour clock", read.hour);
        return Err(invalid("22007", message));
    }
    let hour = match read.afternoon {
        Some(afternoon) => read.hour % 12 + if afternoon { 12 } else { 0 },
        None if read.of_twelve => read.hour % 12,
        None => read.hour,
    };
    let clock = [(hour, 24), (read.minute, 60), (read.second, 60)];
    if clock.iter().any(|(value, limit)| value >= limit) {
        return Err(out_of_range());
    }
    // Without a year it is the one before the first.
    let (year, month) = (read.year.unwrap_or(0), u32::try_from(read.month.unwrap_or(1)).unwrap_or(0));
    let days = match read.day_of_year {
        Some(day) if read.month.is_none() => days_of(year, 1, 1) + day - 1,
        _ => {
            let day = u32::try_from(read.day.unwrap_or(1)).unwrap_or(0);
            if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
                return Err(out_of_range());
            }
            days_of(year, month, day)
        }
    };
    let seconds = (hour * 60 + read.minute) * 60 + read.second;
    days.checked_mul(DAY)
        .and_then(|start| start.checked_add(seconds * 1_000_000 + read.micros))
        .ok_or_else(out_of_range)
}
