//! Documents of full-text search: lexemes with their positions and weights, in `tsvector`'s text
//! (<https://www.postgresql.org/docs/15/datatype-textsearch.html>).

use std::collections::BTreeMap;

use crate::{Error, ErrorKind, Result};

/// Highest position that a `tsvector` keeps; words beyond have it too.
pub const LAST_POSITION: u16 = 16_383;

/// Positions that a lexeme keeps at most.
const MOST_POSITIONS: usize = 255;

/// A document as `tsvector` holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vector {
    /// Lexemes with positions and weights (0 is D, 3 is A).
    pub lexemes: BTreeMap<String, Vec<(u16, u8)>>,
}

impl Vector {
    /// Adds a lexeme, or a place to one that is there.
    pub fn add(&mut self, lexeme: String, place: Option<(u16, u8)>) {
        let places = self.lexemes.entry(lexeme).or_default();
        let Some((position, weight)) = place else { return };
        match places.binary_search_by_key(&position, |(position, _)| *position) {
            Ok(at) => places[at].1 = places[at].1.max(weight),
            Err(at) if places.len() < MOST_POSITIONS => places.insert(at, (position, weight)),
            Err(_) => {}
        }
    }

    /// Reads `'fat':2 'rat':3A`, PostgreSQL's text of a `tsvector`.
    ///
    /// # Errors
    /// 42601 for what is none.
    pub fn parse(text: &str) -> Result<Self> {
        let fault = || {
            let message = format!("syntax error in tsvector: \"{text}\"");
            Error::new(ErrorKind::InvalidInput, "42601", message)
        };
        let mut vector = Vector::default();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let lexeme = lexeme(&mut rest, ":").filter(|lexeme| !lexeme.is_empty()).ok_or_else(fault)?;
            let mut places = Vec::new();
            if let Some(list) = rest.strip_prefix(':') {
                let end = list.find(char::is_whitespace).unwrap_or(list.len());
                for place in list[..end].split(',') {
                    places.push(self::place(place).ok_or_else(fault)?);
                }
                rest = &list[end..];
            }
            vector.add(lexeme.clone(), None);
            for place in places {
                vector.add(lexeme.clone(), Some(place));
            }
            rest = rest.trim_start();
        }
        Ok(vector)
    }

    /// PostgreSQL's text of it.
    pub fn to_text(&self) -> String {
        let shown = self.lexemes.iter().map(|(lexeme, places)| {
            let places: Vec<String> = places
                .iter()
                .map(|(position, weight)| format!("{position}{}", ["", "C", "B", "A"][usize::from(*weight)]))
                .collect();
            let colon = if places.is_empty() { "" } else { ":" };
            format!("{}{colon}{}", quoted(lexeme), places.join(","))
        });
        shown.collect::<Vec<_>>().join(" ")
    }
}

/// A lexeme in quotes: `'it''s'`.
pub fn quoted(lexeme: &str) -> String {
    format!("'{}'", lexeme.replace('\\', "\\\\").replace('\'', "''"))
}

/// `3A`
fn place(text: &str) -> Option<(u16, u8)> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '*');
    let weight = match &text[digits.len()..] {
        "" | "D" | "d" => 0,
        "C" | "c" => 1,
        "B" | "b" => 2,
        "A" | "a" | "*" => 3,
        _ => return None,
    };
    let position: u64 = digits.parse().ok().filter(|position| *position > 0)?;
    Some((u16::try_from(position).unwrap_or(LAST_POSITION).min(LAST_POSITION), weight))
}

/// A word in quotes, or up to white space or one of `ends`; `None` for a quote that nothing closes.
pub fn lexeme(rest: &mut &str, ends: &str) -> Option<String> {
    let mut out = String::new();
    let quoted = rest.starts_with('\'');
    let body = if quoted { &rest[1..] } else { *rest };
    let mut signs = body.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => out.push(signs.next()?.1),
            '\'' if quoted && signs.next_if(|(_, next)| *next == '\'').is_some() => out.push('\''),
            '\'' if quoted => {
                *rest = &body[at + 1..];
                return Some(out);
            }
            _ if !quoted && (sign.is_whitespace() || ends.contains(sign)) => {
                *rest = &body[at..];
                return Some(out);
            }
            _ => out.push(sign),
        }
    }
    *rest = "";
    (!quoted).then_some(out)
}
