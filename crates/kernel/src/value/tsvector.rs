//! Documents of full-text search: lexemes with their positions and weights, in `tsvector`'s text
//! (<https://www.postgresql.org/docs/15/datatype-textsearch.html>).

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::{Error, ErrorKind, Result};

/// Highest position that a `tsvector` keeps; words beyond have it too.
pub const LAST_POSITION: u16 = 16_383;

/// Bytes that PostgreSQL keeps of a lexeme besides its text and its positions.
const ENTRY: usize = 4;

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

    /// A text by whose bytes documents stand in PostgreSQL's order: by their size in memory, then by how many
    /// lexemes they have, then by the first lexeme that differs (`silly_cmp_tsvector` of `tsvector_op.c`).
    /// What has positions comes before what has none, and more and higher ones before others.
    pub fn sortable(&self) -> String {
        let mut lexemes = String::new();
        let mut size = 0;
        for (lexeme, places) in &self.lexemes {
            size += ENTRY + lexeme.len();
            if !places.is_empty() {
                // Positions begin at even addresses.
                size = size.next_multiple_of(2) + 2 * (1 + places.len());
            }
            lexemes.push(if places.is_empty() { '1' } else { '0' });
            push_escaped(&mut lexemes, lexeme);
            let _ = write!(lexemes, "{:04x}", usize::from(u16::MAX) - places.len());
            for (position, weight) in places {
                let _ = write!(lexemes, "{:04x}", u16::MAX - (position << 2 | u16::from(*weight)));
            }
        }
        format!("{size:08x}{:08x}{lexemes}", self.lexemes.len())
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

/// Appends a lexeme and what is smaller than anything that may follow in a longer one.
fn push_escaped(out: &mut String, lexeme: &str) {
    for sign in lexeme.chars() {
        if matches!(sign, '\u{1}' | '\u{2}') {
            out.push('\u{2}');
        }
        out.push(sign);
    }
    out.push('\u{1}');
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

#[cfg(test)]
mod tests {
    use super::*;

    // As PostgreSQL 15 sorts them.
    #[test]
    fn documents_stand_in_postgres_own_order() {
        let ascending = [
            "",
            "'b'",
            "'rat'",
            "'zebra'",
            "'a' 'b'",
            "'fat':2A",
            "'fat':2",
            "'fat':1",
            "'rat':1",
            "'fat':1,3",
            "'fat':1,2",
            "'fats':1,2",
            "'a' 'b':1",
            "'a':1 'b'",
            "'cat':3A 'fat':2B",
            "'fat':1 'rat':2",
        ];
        let keys: Vec<String> =
            ascending.iter().map(|text| Vector::parse(text).unwrap().sortable()).collect();
        for (at, two) in keys.windows(2).enumerate() {
            assert!(two[0] < two[1], "{} before {}", ascending[at], ascending[at + 1]);
        }
    }
}
