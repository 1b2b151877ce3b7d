//! PostgreSQL's regular expressions in the words of an engine that takes linear time.
//!
//! What such an engine can't do (references back, looking around) is refused
//! (<https://www.postgresql.org/docs/15/functions-matching.html#POSIX-SYNTAX-DETAILS>).

mod places;
mod similar;

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};
use truststream_kernel::{Error, ErrorKind, Result};

pub(crate) use self::places::Places;
pub(crate) use self::similar::similar;

/// Largest compiled expression, in bytes.
const LARGEST: usize = 1 << 20;

/// Compiles an expression.
///
/// # Errors
/// 2201B for what is none, 0A000 for what takes more than linear time.
pub fn compile(pattern: &str, insensitive: bool) -> Result<Regex> {
    Words::of(pattern, Flags { insensitive, ..Flags::default() })?.compiled()
}

/// How an expression is read, by letters behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    insensitive: bool,
    /// `^` and `$` stand at lines.
    lines: bool,
    /// A dot, or what is not of some characters, is no end of a line.
    newlines: bool,
    /// The text itself is what is looked for.
    literal: bool,
    /// All matches, not the first.
    pub(crate) global: bool,
}

impl Flags {
    /// The letters that functions of regular expressions take.
    ///
    /// # Errors
    /// 22023 for a letter that means nothing, 0A000 for what is not done.
    pub(crate) fn read(letters: &str) -> Result<Self> {
        let mut flags = Flags::default();
        for letter in letters.chars() {
            if letter == 'g' {
                flags.global = true;
            } else {
                flags.take(letter)?;
            }
        }
        Ok(flags)
    }

    fn take(&mut self, letter: char) -> Result<()> {
        match letter {
            'i' => self.insensitive = true,
            'c' => self.insensitive = false,
            'e' | 't' => {}
            's' => (self.lines, self.newlines) = (false, false),
            'm' | 'n' => (self.lines, self.newlines) = (true, true),
            'p' => (self.lines, self.newlines) = (false, true),
            'w' => (self.lines, self.newlines) = (true, false),
            'q' => self.literal = true,
            'b' | 'x' => return Err(beyond("such options")),
            _ => {
                let message = format!("invalid regular expression option: \"{letter}\"");
                return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
            }
        }
        Ok(())
    }
}

/// Compiles an expression whose matches are looked at.
///
/// # Errors
/// As [`compile`].
pub(crate) fn places(pattern: &str, flags: Flags) -> Result<Places> {
    let words = Words::of(pattern, flags)?;
    let first = words.compiled()?;
    Places::of(&words, first)
}

/// An expression in the other engine's words.
struct Words {
    body: String,
    insensitive: bool,
    lines: bool,
    newlines: bool,
}

impl Words {
    /// Of an expression, and of what stands before it: `***=` for a literal text, `(?i)` and its like.
    fn of(pattern: &str, mut flags: Flags) -> Result<Self> {
        let mut body = pattern;
        if let Some(text) = pattern.strip_prefix("***=") {
            (body, flags.literal) = (text, true);
        } else {
            body = body.strip_prefix("***:").unwrap_or(body);
            if let Some((letters, rest)) = body.strip_prefix("(?").and_then(|inside| inside.split_once(')'))
                && !flags.literal
                && !letters.is_empty()
                && letters.bytes().all(|letter| letter.is_ascii_alphabetic())
            {
                for letter in letters.chars() {
                    flags.take(letter).map_err(|error| match error.code() {
                        "22023" => invalid("invalid embedded option"),
                        _ => error,
                    })?;
                }
                body = rest;
            }
        }
        let Flags { insensitive, lines, newlines, literal, .. } = flags;
        let body = if literal { regex::escape(body) } else { translated(body, newlines)? };
        Ok(Words { body, insensitive, lines, newlines })
    }

    fn compiled(&self) -> Result<Regex> {
        RegexBuilder::new(&self.body)
            .case_insensitive(self.insensitive)
            .multi_line(self.lines)
            .dot_matches_new_line(!self.newlines)
            .size_limit(LARGEST)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => invalid("regular expression is too complex"),
                error => invalid("invalid escape \\ sequence or quantifier operand").with_source(error),
            })
    }
}

fn invalid(why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "2201B", format!("invalid regular expression: {why}"))
}

fn beyond(what: &str) -> Error {
    Error::unsupported(format!("{what} in regular expressions are not supported by this database"))
}

fn translated(body: &str, newlines: bool) -> Result<String> {
    let mut out = String::with_capacity(body.len());
    let mut signs = body.chars().peekable();
    // A quantifier takes one `?` behind it, and no other quantifier.
    let mut quantifiers = 0;
    while let Some(sign) = signs.next() {
        let bound = sign == '{' && signs.peek().is_some_and(char::is_ascii_digit);
        quantifiers = if bound || matches!(sign, '*' | '+' | '?') { quantifiers + 1 } else { 0 };
        if quantifiers > 2 || (quantifiers == 2 && sign != '?') {
            return Err(invalid("quantifier operand invalid"));
        }
        match sign {
            '\\' => escape(&mut signs, &mut out)?,
            '[' => class(&mut signs, &mut out, newlines)?,
            '(' if signs.peek() == Some(&'?') => {
                signs.next();
                match signs.next() {
                    Some(':') => out.push_str("(?:"),
                    Some('=' | '!' | '<') => return Err(beyond("constraints that look around")),
                    _ => return Err(invalid("quantifier operand invalid")),
                }
            }
            '{' if bound => {
                out.push(sign);
                while let Some(part) = signs.next_if(|part| *part != '}') {
                    out.push(part);
                }
                out.extend(signs.next());
            }
            '{' => out.push_str("\\{"),
            _ => out.push(sign),
        }
    }
    Ok(out)
}

fn escape(signs: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<()> {
    let sign = signs.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
    match sign {
        'm' | '<' => out.push_str("\\b{start}"),
        'M' | '>' => out.push_str("\\b{end}"),
        'y' => out.push_str("\\b"),
        'Y' => out.push_str("\\B"),
        'Z' => out.push_str("\\z"),
        'A' | 'd' | 'D' | 'w' | 'W' | 's' | 'S' => out.extend(['\\', sign]),
        '1'..='9' => return Err(beyond("references back")),
        _ => out.push_str(&regex::escape(&character(sign, signs)?.to_string())),
    }
    Ok(())
}

/// The character that an escape means.
fn character(sign: char, signs: &mut Peekable<Chars<'_>>) -> Result<char> {
    let mut hexadecimal = |most: usize| {
        let mut number = 0;
        for _ in 0..most {
            let Some(digit) = signs.peek().and_then(|sign| sign.to_digit(16)) else { break };
            number = number * 16 + digit;
            signs.next();
        }
        char::from_u32(number).ok_or_else(|| invalid("invalid escape \\ sequence"))
    };
    Ok(match sign {
        'a' => '\x07',
        'b' => '\x08',
        'B' => '\\',
        'e' => '\x1b',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'u' => hexadecimal(4)?,
        'U' => hexadecimal(8)?,
        'x' => hexadecimal(6)?,
        '0' => '\0',
        _ if sign.is_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
        other => other,
    })
}

/// A bracket expression; what only other engines see in one is escaped.
fn class(signs: &mut Peekable<Chars<'_>>, out: &mut String, newlines: bool) -> Result<()> {
    out.push('[');
    if signs.next_if_eq(&'^').is_some() {
        out.push('^');
        if newlines {
            out.push_str("\\n");
        }
    }
    let mut first = true;
    loop {
        let sign = signs.next().ok_or_else(|| invalid("brackets [] not balanced"))?;
        match sign {
            ']' if !first => break,
            '[' if signs.peek() == Some(&':') => named(signs, out)?,
            '[' if matches!(signs.peek(), Some('.' | '=')) => return Err(beyond("collating elements")),
            '\\' => match signs.next() {
                Some(letter @ ('d' | 'w' | 's')) => out.extend(['\\', letter]),
                Some(letter) => out.push_str(&regex::escape(&character(letter, signs)?.to_string())),
                None => return Err(invalid("invalid escape \\ sequence")),
            },
            '[' | ']' | '&' | '~' | '^' => out.extend(['\\', sign]),
            '-' if first || signs.peek() == Some(&']') => out.push_str("\\-"),
            _ => out.push(sign),
        }
        first = false;
    }
    out.push(']');
    Ok(())
}

/// `[:alpha:]`
fn named(signs: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<()> {
    signs.next();
    let mut name = String::new();
    while let Some(letter) = signs.next_if(char::is_ascii_alphabetic) {
        name.push(letter);
    }
    if signs.next() != Some(':') || signs.next() != Some(']') {
        return Err(invalid("invalid character class"));
    }
    out.push_str(match name.as_str() {
        "alpha" => "\\p{Alphabetic}",
        "digit" => "\\d",
        "alnum" => "\\p{Alphabetic}\\d",
        "upper" => "\\p{Uppercase}",
        "lower" => "\\p{Lowercase}",
        "space" => "\\s",
        "word" => "\\w",
        "blank" | "cntrl" | "graph" | "print" | "punct" | "xdigit" => {
            out.push_str(&format!("[:{name}:]"));
            return Ok(());
        }
        _ => return Err(invalid("invalid character class")),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_to_postgres() {
        for (pattern, text, wanted) in [
            ("^a.c$", "a\nc", true),
            ("\\mfoo\\M", "a foo b", true),
            ("\\yfoo\\y", "afoob", false),
            ("[[:alpha:]]+[]a&&b]", "é]", true),
            ("a{x", "a{x", true),
            ("(?i)ABC", "xabcx", true),
            ("***=a.c", "abc", false),
            ("[a\\-z]", "-", true),
            ("\\u00e9|\\x41", "A", true),
            ("a{2,3}?b", "aab", true),
        ] {
            assert_eq!(compile(pattern, false).unwrap().is_match(text), wanted, "{pattern}");
        }
        for (pattern, code) in [
            ("(", "2201B"),
            ("a**", "2201B"),
            ("(a)\\1", "0A000"),
            ("(?=a)", "0A000"),
            ("((a{1000}){1000}){9}", "2201B"),
        ] {
            assert_eq!(compile(pattern, false).unwrap_err().code(), code, "{pattern}");
        }
    }
}
