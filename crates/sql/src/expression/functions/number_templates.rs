//! Templates of numbers: `to_char(number, template)`.
//!
//! <https://www.postgresql.org/docs/15/functions-formatting.html>

use truststream_kernel::value::decimal;
use truststream_kernel::{Error, Result, Value};

use super::text;

/// Patterns that are not made here: ordinals, Roman numbers, exponents, currencies and their like.
const BEYOND: &[&str] = &["EEEE", "RN", "TH", "SG", "PL", "V", "L", "B"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    /// In front of the first digit.
    Before,
    /// `S` as the first pattern: in front, `+` too.
    First,
    /// `S` as the last one.
    Last,
    /// `MI` behind the number.
    Minus,
    /// `PR`: in angle brackets.
    Brackets,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// `9` or, with true, `0`.
    Digit(bool),
    Group,
    Point,
    Text(char),
}

struct Template {
    parts: Vec<Part>,
    sign: Sign,
    bare: bool,
}

fn read(template: &str) -> Result<Template> {
    let mut read = Template { parts: Vec::new(), sign: Sign::Before, bare: false };
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            read.parts.extend(quoted[..end].chars().map(Part::Text));
            rest = quoted.get(end + 1..).unwrap_or_default();
            continue;
        }
        let upper = rest.get(..rest.len().min(4)).unwrap_or_default().to_ascii_uppercase();
        if let Some(pattern) = BEYOND.iter().find(|pattern| upper.starts_with(*pattern)) {
            return Err(Error::unsupported(format!(
                "the pattern {pattern} in templates of numbers is not supported by this database"
            )));
        }
        let mut length = first.len_utf8();
        match first {
            _ if upper.starts_with("FM") => (read.bare, length) = (true, 2),
            _ if upper.starts_with("MI") => (read.sign, length) = (Sign::Minus, 2),
            _ if upper.starts_with("PR") => (read.sign, length) = (Sign::Brackets, 2),
            'S' | 's' => {
                let digits = read.parts.iter().any(|part| matches!(part, Part::Digit(_)));
                read.sign = if digits { Sign::Last } else { Sign::First };
            }
            '9' => read.parts.push(Part::Digit(false)),
            '0' => read.parts.push(Part::Digit(true)),
            ',' | 'G' | 'g' => read.parts.push(Part::Group),
            '.' | 'D' | 'd' if read.parts.contains(&Part::Point) => {
                return Err(Error::invalid_input("multiple decimal points"));
            }
            '.' | 'D' | 'd' => read.parts.push(Part::Point),
            other => read.parts.push(Part::Text(other)),
        }
        rest = &rest[length..];
    }
    Ok(read)
}

/// The digits of a number with so many of them behind the point, and whether it is below zero.
fn digits(number: &Value, behind: usize) -> Result<(bool, String, String)> {
    let shown = match number {
        Value::Int(number) => format!("{number}.{}", "0".repeat(behind)),
        Value::Text(number) => {
            let scale = i16::try_from(behind).map_err(|_| Error::invalid_input("too many digits"))?;
            decimal::rounded(number, 1000, scale)?
        }
        Value::Float(number) if number.is_finite() => {
            // A double has 15 digits that count.
            let before = format!("{:.0}", number.abs()).len();
            let known = behind.min(15_usize.saturating_sub(before));
            format!(
                "{number:.known$}{}{}",
                if known == 0 && behind > 0 { "." } else { "" },
                "0".repeat(behind - known)
            )
        }
        _ => return Err(Error::unsupported("to_char of what is no finite number")),
    };
    let (negative, shown) = match shown.strip_prefix('-') {
        Some(shown) => (true, shown),
        None => (false, shown.as_str()),
    };
    let (whole, fraction) = shown.split_once('.').unwrap_or((shown, ""));
    let zero = shown.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    Ok((negative && !zero, whole.trim_start_matches('0').to_owned(), fraction.to_owned()))
}

/// `to_char(number, template)`
pub(super) fn to_char(arguments: &[Value]) -> Result<Value> {
    let template = read(text(arguments, 1)?)?;
    let point = template.parts.iter().position(|part| *part == Part::Point).unwrap_or(template.parts.len());
    let count = |parts: &[Part]| parts.iter().filter(|part| matches!(part, Part::Digit(_))).count();
    let (before, behind) = (count(&template.parts[..point]), count(&template.parts[point..]));
    let (negative, mut whole, mut fraction) = digits(&arguments[0], behind)?;
    if whole.len() > before {
        (whole, fraction) = ("#".repeat(before), "#".repeat(behind));
    }
    // Zero has a digit of its own where nothing stands behind it.
    if whole.is_empty() && behind == 0 && before > 0 {
        whole.push('0');
    }
    // Trailing zeros are kept up to the last `0` of the template.
    let kept = {
        let asked = template.parts[point..].iter().filter(|part| matches!(part, Part::Digit(_)));
        let last =
            asked.enumerate().filter(|(_, part)| **part == Part::Digit(true)).map(|(at, _)| at + 1).last();
        fraction.trim_end_matches('0').len().max(last.unwrap_or(0))
    };
    let sign = sign_of(template.sign, negative, template.bare);
    let mut out = String::new();
    let (mut place, mut begun) = (0, false);
    for (at, part) in template.parts.iter().enumerate() {
        match part {
            Part::Digit(zero) if at < point => {
                let digit = (place + whole.len()).checked_sub(before).and_then(|at| whole.as_bytes().get(at));
                place += 1;
                if digit.is_none() && !zero && !begun {
                    out.push_str(if template.bare { "" } else { " " });
                    continue;
                }
                if !begun {
                    out.push_str(&sign);
                    begun = true;
                }
                out.push(digit.map_or('0', |digit| char::from(*digit)));
            }
            Part::Digit(_) => {
                let at = place - before;
                place += 1;
                if !template.bare || at < kept {
                    out.push(fraction.as_bytes().get(at).map_or('0', |digit| char::from(*digit)));
                }
            }
            Part::Group if begun => out.push(','),
            Part::Group => out.push_str(if template.bare { "" } else { " " }),
            Part::Point => {
                if !begun {
                    out.push_str(&sign);
                    begun = true;
                }
                out.push('.');
            }
            Part::Text(sign) => out.push(*sign),
        }
    }
    match (template.sign, negative) {
        (Sign::Last, _) => out.push(if negative { '-' } else { '+' }),
        (Sign::Minus, true) => out.push('-'),
        (Sign::Minus, false) if !template.bare => out.push(' '),
        (Sign::Brackets, true) => out.push('>'),
        (Sign::Brackets, false) if !template.bare => out.push(' '),
        _ => {}
    }
    Ok(Value::Text(out))
}

/// What stands in front of the first digit.
fn sign_of(sign: Sign, negative: bool, bare: bool) -> String {
    match (sign, negative) {
        (Sign::Before | Sign::First, true) => "-",
        (Sign::First, false) => "+",
        (Sign::Brackets, true) => "<",
        (Sign::Before | Sign::Brackets, false) if !bare => " ",
        _ => "",
    }
    .to_owned()
}
