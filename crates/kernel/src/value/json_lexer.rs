//! Tokens of JSON text, and PostgreSQL's words for what is wrong with it.

use super::fault;
use crate::{Error, ErrorKind, Result};

/// A token with its text; strings keep their quotes and escapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of `{}[],:`.
    Punctuation(u8),
    String,
    Number,
    /// `true`, `false`, `null`.
    Word,
    End,
}

/// Divides a text into tokens, one ahead.
pub(super) struct Lexer<'a> {
    rest: &'a str,
    pub token: Token<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self> {
        let mut lexer = Lexer { rest: text, token: Token { kind: Kind::End, text: "" } };
        lexer.advance()?;
        Ok(lexer)
    }

    /// The current token, going on to the next.
    pub(super) fn take(&mut self) -> Result<Token<'a>> {
        let token = self.token;
        self.advance()?;
        Ok(token)
    }

    /// Whether the current token is this punctuation; if so goes on.
    pub(super) fn skip(&mut self, punctuation: u8) -> Result<bool> {
        let found = self.token.kind == Kind::Punctuation(punctuation);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// The error of finding this token where `wanted` belongs.
    pub(super) fn expected(&self, wanted: &str) -> Error {
        match self.token.kind {
            Kind::End => ended(),
            _ => invalid(format!("Expected {wanted}, but found \"{}\".", self.token.text)),
        }
    }

    fn advance(&mut self) -> Result<()> {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let Some(first) = self.rest.bytes().next() else {
            self.token = Token { kind: Kind::End, text: "" };
            return Ok(());
        };
        let (kind, length) = match first {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => (Kind::Punctuation(first), 1),
            b'"' => (Kind::String, string_length(self.rest)?),
            b'-' | b'0'..=b'9' => (Kind::Number, number_length(self.rest)?),
            _ => (Kind::Word, word_length(self.rest)?),
        };
        let (text, rest) = self.rest.split_at(length);
        (self.token, self.rest) = (Token { kind, text }, rest);
        Ok(())
    }
}

/// `invalid input syntax for type json`, with PostgreSQL's detail.
pub(super) fn invalid(details: impl Into<String>) -> Error {
    fault::malformed("invalid input syntax for type json", details)
}

fn ended() -> Error {
    invalid("The input string ended unexpectedly.")
}

fn invalid_token(token: &str) -> Error {
    invalid(format!("Token \"{token}\" is invalid."))
}

fn is_alphanumeric(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

fn word_length(rest: &str) -> Result<usize> {
    let length = rest.find(|c| !is_alphanumeric(c)).unwrap_or(rest.len());
    match &rest[..length] {
        "true" | "false" | "null" => Ok(length),
        // Nothing here is beyond ASCII: such characters are alphanumeric.
        "" => Err(invalid_token(&rest[..1])),
        token => Err(invalid_token(token)),
    }
}

fn number_length(rest: &str) -> Result<usize> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = usize::from(bytes[0] == b'-');
    let whole = digits(at);
    let mut valid = whole > 0 && (whole == 1 || bytes[at] != b'0');
    // PostgreSQL ends the number after a leading zero, and finds the rest to be wrong.
    at += whole;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        valid &= fraction > 0;
        at += 1 + fraction;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at);
        valid &= exponent > 0;
        at += exponent;
    }
    let end = rest[at..].find(|c| !is_alphanumeric(c)).map_or(rest.len(), |length| at + length);
    if valid && end == at { Ok(at) } else { Err(invalid_token(&rest[..end])) }
}

/// Length of a string token with its quotes; its escapes are well formed.
fn string_length(rest: &str) -> Result<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok(at + 1),
            '\\' => match chars.next() {
                None => return Err(invalid_token(rest)),
                Some((_, 'u')) => {
                    for _ in 0..4 {
                        match chars.next() {
                            Some((_, digit)) if digit.is_ascii_hexdigit() => {}
                            Some(_) => {
                                return Err(invalid("\"\\u\" must be followed by four hexadecimal digits."));
                            }
                            None => return Err(invalid_token(rest)),
                        }
                    }
                }
                Some((_, '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't')) => {}
                Some((_, other)) => {
                    return Err(invalid(format!("Escape sequence \"\\{other}\" is invalid.")));
                }
            },
            '\0'..='\x1f' => {
                return Err(invalid(format!("Character with value 0x{:02x} must be escaped.", c as u32)));
            }
            _ => {}
        }
    }
    Err(invalid_token(rest))
}

/// The text a string token means.
///
/// # Errors
/// `\u0000`, which PostgreSQL's text can't hold (22P05), and unpaired surrogates.
pub(super) fn unescape(token: &str) -> Result<String> {
    let inner = &token[1..token.len() - 1];
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(inner.to_owned());
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => out.push(unicode(&mut chars)?),
            Some(other) => out.push(other),
            None => {}
        }
    }
    Ok(out)
}

fn unicode(chars: &mut std::str::Chars<'_>) -> Result<char> {
    let low_missing = || invalid("Unicode low surrogate must follow a high surrogate.");
    let first = code_unit(chars);
    let code = match first {
        0 => {
            return Err(Error::new(ErrorKind::InvalidInput, "22P05", "unsupported Unicode escape sequence")
                .with_details("\\u0000 cannot be converted to text."));
        }
        0xD800..0xDC00 => {
            let rest = chars.as_str();
            if !rest.starts_with("\\u") {
                return Err(low_missing());
            }
            chars.nth(1);
            match code_unit(chars) {
                second @ 0xDC00..0xE000 => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                0xD800..0xDC00 => {
                    return Err(invalid("Unicode high surrogate must not follow a high surrogate."));
                }
                _ => return Err(low_missing()),
            }
        }
        code => code,
    };
    char::from_u32(code).ok_or_else(low_missing)
}

fn code_unit(chars: &mut std::str::Chars<'_>) -> u32 {
    chars.by_ref().take(4).filter_map(|digit| digit.to_digit(16)).fold(0, |code, digit| code << 4 | digit)
}
