//! The words of a date or time text: which are the date, the time of day, the zone.

use super::calendar::{DAY, SECOND};
use super::datetime::{Fault, clock};
use super::datetime_words::{Moment, is_weekday, moment, month, named_zone};

type Result<T> = std::result::Result<T, Fault>;

/// What was read from a text.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fields {
    /// Year (astronomical), month, day; not yet checked against the calendar.
    pub date: Option<(i64, u32, u32)>,
    /// Microseconds since midnight; a full day is allowed.
    pub time: Option<i64>,
    /// Seconds east of UTC.
    pub zone: Option<i64>,
    /// A word instead of a date.
    pub moment: Option<Moment>,
}

impl Fields {
    /// Reads a text; every part must be understood and none may come twice.
    ///
    /// With `time_only` a run of digits is a time of day although no date came before it.
    pub(super) fn read(text: &str, time_only: bool) -> Result<Fields> {
        let mut reader = Reader { time_only, ..Reader::default() };
        for part in split(text) {
            reader.part(part)?;
        }
        reader.finish()
    }
}

#[derive(Default)]
struct Reader {
    fields: Fields,
    time_only: bool,
    /// Digits the year was written with: two may mean one of this century.
    year_length: usize,
    /// Numbers of a date written in words (`January 8, 1999`), in order.
    numbers: Vec<(i64, usize)>,
    month: Option<u32>,
    before_christ: Option<bool>,
    afternoon: Option<bool>,
}

impl Reader {
    fn part(&mut self, part: &str) -> Result<()> {
        let first = part.as_bytes()[0];
        if part.contains(':') && !matches!(first, b'+' | b'-') {
            return self.time_and_zone(part);
        }
        match first {
            b'+' | b'-' if self.fields.time.is_some() || self.fields.date.is_some() => {
                self.set_zone(zone(part)?)
            }
            b'+' | b'-' => self.word(part),
            b'0'..=b'9' if part.bytes().all(|byte| byte.is_ascii_digit()) => self.number(part),
            b'0'..=b'9' => self.numeric_date(part),
            _ => self.word(part),
        }
    }

    /// A run of digits: `20240101`, `040506` after a date, or part of a date in words.
    fn number(&mut self, part: &str) -> Result<()> {
        let value: i64 = part.parse().map_err(|_| Fault::Range)?;
        if self.wants_time() && matches!(part.len(), 4 | 6) {
            return self.set_time(compact_time(part, "")?);
        }
        let done = self.fields.date.is_some() || self.month.is_some();
        let (month, day) = ((value / 100 % 100) as u32, (value % 100) as u32);
        match part.len() {
            6 | 8 if !done => self.set_date((value / 10_000, part.len() - 4), month, day),
            length => {
                self.numbers.push((value, length));
                Ok(())
            }
        }
    }

    fn wants_time(&self) -> bool {
        self.fields.time.is_none() && (self.time_only || self.fields.date.is_some())
    }

    /// `2024-01-31`, `2024/1/31`, `1/31/2024`, `31-Jan-2024`, `2024-Jan-31`; also `040506.789Z`.
    fn numeric_date(&mut self, part: &str) -> Result<()> {
        let pieces: Vec<&str> = part.split(['-', '/', '.']).collect();
        if let [first, second, third] = pieces[..]
            && self.fields.date.is_none()
        {
            let (month, other) = match month(second) {
                Some(month) => (month, first),
                None if first.len() > 2 => (small(second)?, first),
                None => (small(first)?, second),
            };
            return if first.len() > 2 {
                self.set_date(year_of(first)?, month, small(third)?)
            } else {
                self.set_date(year_of(third)?, month, small(other)?)
            };
        }
        let digits = part.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(part.len());
        let (time, rest) = part.split_at(digits);
        if !self.wants_time() {
            return Err(Fault::Syntax);
        }
        let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
        self.set_time(compact_time(whole, fraction)?)?;
        self.after_time(rest)
    }

    /// `04:05:06.789`, perhaps with a zone or am/pm attached.
    fn time_and_zone(&mut self, part: &str) -> Result<()> {
        let end = part.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(part.len());
        let (time, rest) = part.split_at(end);
        self.set_time(time_of_day(time)?)?;
        self.after_time(rest)
    }

    /// What is attached to a time: a zone, `am`, `pm`, `Z`.
    fn after_time(&mut self, rest: &str) -> Result<()> {
        match rest.as_bytes().first() {
            None => Ok(()),
            Some(b'+' | b'-') => self.set_zone(zone(rest)?),
            Some(_) => self.word(rest),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        let lower = word.to_ascii_lowercase();
        if let Some(moment) = moment(&lower) {
            return set(&mut self.fields.moment, moment);
        }
        match lower.as_str() {
            "bc" => return set(&mut self.before_christ, true),
            "ad" => return set(&mut self.before_christ, false),
            "am" => return set(&mut self.afternoon, false),
            "pm" => return set(&mut self.afternoon, true),
            "t" | "at" | "on" => return Ok(()),
            _ if is_weekday(&lower) => return Ok(()),
            _ => {}
        }
        if let Some(month) = month(&lower) {
            return set(&mut self.month, month);
        }
        self.set_zone(named_zone(&lower).ok_or(Fault::Syntax)?)
    }

    fn finish(mut self) -> Result<Fields> {
        self.date_in_words()?;
        if let Some(before) = self.before_christ {
            let (year, month, day) = self.fields.date.ok_or(Fault::Syntax)?;
            if before {
                self.fields.date = Some((1 - year, month, day));
            }
        } else if let Some((year, ..)) = &mut self.fields.date {
            *year = century(*year, self.year_length);
        }
        if let Some(afternoon) = self.afternoon {
            let time = self.fields.time.ok_or(Fault::Syntax)?;
            let half = DAY / 2;
            if time >= half + 3_600 * SECOND {
                return Err(Fault::Range);
            }
            self.fields.time = Some(time % half + if afternoon { half } else { 0 });
        }
        let nothing =
            self.fields.date.is_none() && self.fields.time.is_none() && self.fields.moment.is_none();
        let both = self.fields.moment.is_some() && self.fields.date.is_some();
        if nothing || both { Err(Fault::Syntax) } else { Ok(self.fields) }
    }

    fn date_in_words(&mut self) -> Result<()> {
        match (self.month, &self.numbers[..]) {
            (None, []) => Ok(()),
            (Some(month), &[(first, first_length), (second, second_length)]) => {
                let ((year, length), day) = if first_length > 2 {
                    ((first, first_length), second)
                } else {
                    ((second, second_length), first)
                };
                self.set_date((year, length), month, u32::try_from(day).map_err(|_| Fault::Range)?)
            }
            _ => Err(Fault::Syntax),
        }
    }

    fn set_date(&mut self, (year, length): (i64, usize), month: u32, day: u32) -> Result<()> {
        if year == 0 && length > 2 {
            return Err(Fault::Range);
        }
        self.year_length = length;
        set(&mut self.fields.date, (year, month, day))
    }

    fn set_time(&mut self, time: i64) -> Result<()> {
        set(&mut self.fields.time, time)
    }

    fn set_zone(&mut self, seconds: i64) -> Result<()> {
        set(&mut self.fields.zone, seconds)
    }
}

fn set<T>(place: &mut Option<T>, value: T) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Syntax),
    }
}

/// Splits at spaces, at commas, and at the `T` between a date and a time.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in text.split(|c: char| super::is_space(c) || c == ',').filter(|part| !part.is_empty()) {
        let at = part.find(['T', 't']).filter(|at| {
            let digit = |index: usize| part.as_bytes().get(index).is_some_and(u8::is_ascii_digit);
            (*at == 0 || digit(at - 1)) && digit(at + 1)
        });
        match at {
            Some(0) => parts.push(&part[1..]),
            Some(at) => parts.extend([&part[..at], &part[at + 1..]]),
            None => parts.push(part),
        }
    }
    parts
}

fn time_of_day(text: &str) -> Result<i64> {
    let mut pieces = text.split(':');
    let hour = number(pieces.next().unwrap_or_default())?;
    let minute = number(pieces.next().unwrap_or_default())?;
    let (second, micros) = match pieces.next() {
        None => (0, 0),
        Some(second) => match second.split_once('.') {
            None => (number(second)?, 0),
            Some((second, fraction)) => (number(second)?, fraction_micros(fraction)?),
        },
    };
    if pieces.next().is_some() {
        return Err(Fault::Syntax);
    }
    limited(hour, minute, second, micros)
}

/// `040506` or `0405`, and the digits of a fraction.
fn compact_time(digits: &str, fraction: &str) -> Result<i64> {
    let value = number(digits)?;
    let micros = fraction_micros(fraction)?;
    match digits.len() {
        6 => limited(value / 10_000, value / 100 % 100, value % 100, micros),
        4 if fraction.is_empty() => limited(value / 100, value % 100, 0, 0),
        _ => Err(Fault::Syntax),
    }
}

/// A time of day within its limits: `24:00:00` and `23:59:60` are allowed.
fn limited(hour: i64, minute: i64, second: i64, micros: i64) -> Result<i64> {
    let time = clock(hour, minute, second, micros);
    if hour > 24 || minute > 59 || second > 60 || time > DAY { Err(Fault::Range) } else { Ok(time) }
}

/// Digits after the point of a second as microseconds, rounded as PostgreSQL does.
pub(super) fn fraction_micros(digits: &str) -> Result<i64> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    let fraction: f64 = format!("0.{digits}0").parse().map_err(|_| Fault::Syntax)?;
    Ok((fraction * 1_000_000.0).round_ties_even() as i64)
}

/// `+02`, `+0200`, `+02:00`, `-05:30:15` as seconds east of UTC.
fn zone(text: &str) -> Result<i64> {
    let negative = text.starts_with('-');
    let digits = &text[1..];
    let (hour, minute, second) = if digits.contains(':') {
        let mut pieces = digits.split(':');
        let mut next = || pieces.next().map_or(Ok(0), number);
        let fields = (next()?, next()?, next()?);
        if pieces.next().is_some() {
            return Err(Fault::Syntax);
        }
        fields
    } else {
        let value = number(digits)?;
        match digits.len() {
            1 | 2 => (value, 0, 0),
            3 | 4 => (value / 100, value % 100, 0),
            5 | 6 => (value / 10_000, value / 100 % 100, value % 100),
            _ => return Err(Fault::Syntax),
        }
    };
    if hour > 15 || minute > 59 || second > 59 {
        return Err(Fault::Zone);
    }
    let seconds = hour * 3_600 + minute * 60 + second;
    Ok(if negative { -seconds } else { seconds })
}

fn number(text: &str) -> Result<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Syntax);
    }
    text.parse().map_err(|_| Fault::Range)
}

fn small(text: &str) -> Result<u32> {
    number(text).and_then(|value| u32::try_from(value).map_err(|_| Fault::Range))
}

/// A year and the number of its digits.
fn year_of(text: &str) -> Result<(i64, usize)> {
    let year = number(text)?;
    if year > 6_000_000 { Err(Fault::Range) } else { Ok((year, text.len())) }
}

/// A year of two digits means one between 1970 and 2069.
fn century(year: i64, length: usize) -> i64 {
    match year {
        0..70 if length <= 2 => year + 2000,
        70..100 if length <= 2 => year + 1900,
        _ => year,
    }
}
