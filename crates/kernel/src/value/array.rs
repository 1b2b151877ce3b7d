//! Array literals: `{a,"b,c",NULL,{…}}`.

use super::{Type, Value, fault, part};
use crate::{Error, ErrorKind, Result};

/// Deepest nesting PostgreSQL's arrays have.
pub(super) const MAX_DIMENSIONS: usize = 6;

/// Reads an array literal whose elements have type `element`.
pub(super) fn parse(element: &Type, text: &str) -> Result<Value> {
    let element = innermost(element);
    let trimmed = text.trim_matches(super::is_space);
    let body = match trimmed.strip_prefix('[') {
        Some(_) => without_bounds(trimmed, text)?,
        None => trimmed,
    };
    if !body.starts_with('{') {
        return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
    }
    let mut reader = Reader { text, rest: &body[1..], element };
    let elements = reader.elements(1)?;
    if !reader.rest.trim_matches(super::is_space).is_empty() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    if !rectangular(&elements) {
        return Err(malformed(
            text,
            "Multidimensional arrays must have sub-arrays with matching dimensions.",
        ));
    }
    Ok(Value::Array(without_empty(elements)))
}

/// The type of an array's innermost elements; `int[][]` is the same type as `int[]`.
pub(super) fn innermost(mut element: &Type) -> &Type {
    while let Type::Array(inner) = element {
        element = inner;
    }
    element
}

/// Whether all elements at one depth are alike: no arrays, or arrays of one shape.
pub(super) fn rectangular(elements: &[Value]) -> bool {
    let shape = elements.first().map(shape);
    elements.iter().all(|element| Some(self::shape(element)) == shape)
}

/// Lengths of a value's dimensions, by its first elements; irregular inner ones give `None`.
fn shape(value: &Value) -> Option<Vec<usize>> {
    let Value::Array(elements) = value else { return Some(Vec::new()) };
    if !rectangular(elements) {
        return None;
    }
    let mut lengths = vec![elements.len()];
    if let Some(first) = elements.first() {
        lengths.extend(shape(first)?);
    }
    Some(lengths)
}

/// `{{},{}}` is the empty array.
pub(super) fn without_empty(elements: Vec<Value>) -> Vec<Value> {
    fn empty(value: &Value) -> bool {
        matches!(value, Value::Array(elements) if elements.iter().all(empty))
    }
    if elements.iter().all(empty) { Vec::new() } else { elements }
}

/// Drops `[1:2]=`; other lower bounds than one would be lost, so they are refused.
fn without_bounds<'a>(trimmed: &'a str, text: &str) -> Result<&'a str> {
    let (bounds, body) =
        trimmed.split_once('=').ok_or_else(|| malformed(text, "Missing \"=\" after array dimensions."))?;
    let from_one = bounds.trim_end().trim_start_matches('[').trim_end_matches(']').split("][").all(|bound| {
        let (low, high) = bound.split_once(':').unwrap_or(("1", bound));
        low.trim() == "1" && high.trim().parse::<i32>().is_ok()
    });
    if from_one {
        Ok(body.trim_start())
    } else {
        Err(Error::unsupported("arrays whose lower bound is not one are not supported"))
    }
}

/// More dimensions than arrays have: SQLSTATE 54000.
pub(super) fn too_many_dimensions(count: usize) -> Error {
    let message =
        format!("number of array dimensions ({count}) exceeds the maximum allowed ({MAX_DIMENSIONS})");
    Error::new(ErrorKind::InvalidInput, "54000", message)
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    element: &'a Type,
}

impl Reader<'_> {
    /// Elements up to the closing brace, after the opening one.
    fn elements(&mut self, depth: usize) -> Result<Vec<Value>> {
        if depth > MAX_DIMENSIONS {
            return Err(too_many_dimensions(depth));
        }
        let mut elements = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(super::is_space);
            match self.rest.chars().next() {
                None => return Err(self.ended()),
                Some('}') if elements.is_empty() => {
                    self.rest = &self.rest[1..];
                    return Ok(elements);
                }
                Some('{') => {
                    self.rest = &self.rest[1..];
                    elements.push(Value::Array(self.elements(depth + 1)?));
                }
                Some('"') => elements.push(self.quoted()?),
                Some(_) => elements.push(self.bare()?),
            }
            self.rest = self.rest.trim_start_matches(super::is_space);
            let next = self.rest.chars().next().ok_or_else(|| self.ended())?;
            match next {
                ',' => self.rest = &self.rest[1..],
                '}' => {
                    self.rest = &self.rest[1..];
                    return Ok(elements);
                }
                other if elements.last().is_some_and(|last| matches!(last, Value::Array(_))) => {
                    return Err(self.unexpected(other));
                }
                _ => return Err(malformed(self.text, "Unexpected array element.")),
            }
        }
    }

    fn quoted(&mut self) -> Result<Value> {
        let mut out = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 2..];
                    return Value::parse(self.element, &out);
                }
                '\\' => out.push(chars.next().ok_or_else(|| self.ended())?.1),
                _ => out.push(c),
            }
        }
        Err(self.ended())
    }

    fn bare(&mut self) -> Result<Value> {
        let mut out = String::new();
        let mut escaped = false;
        let mut chars = self.rest.char_indices();
        let end = loop {
            match chars.next() {
                None => return Err(self.ended()),
                Some((at, ',' | '}')) => break at,
                Some((_, '{')) => return Err(self.unexpected('{')),
                Some((_, '"')) => return Err(malformed(self.text, "Unexpected array element.")),
                Some((_, '\\')) => {
                    escaped = true;
                    out.push(chars.next().ok_or_else(|| self.ended())?.1);
                }
                Some((_, c)) => out.push(c),
            }
        };
        let unexpected = self.rest[end..].chars().next();
        self.rest = &self.rest[end..];
        let bare = out.trim_end_matches(super::is_space);
        match (bare, unexpected) {
            ("", Some(c)) => Err(self.unexpected(c)),
            (word, _) if !escaped && word.eq_ignore_ascii_case("null") => Ok(Value::Null),
            (word, _) => Value::parse(self.element, word),
        }
    }

    fn ended(&self) -> Error {
        malformed(self.text, "Unexpected end of input.")
    }

    fn unexpected(&self, c: char) -> Error {
        malformed(self.text, &format!("Unexpected \"{c}\" character."))
    }
}

fn malformed(text: &str, details: &str) -> Error {
    fault::malformed(format!("malformed array literal: \"{text}\""), details)
}

/// Appends an element of an array literal, quoted where its text could be misread.
pub(super) fn push_element(out: &mut String, text: &str) {
    if part::is_plain(text, &['{', '}', ',']) && !text.eq_ignore_ascii_case("null") {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
