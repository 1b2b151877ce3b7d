//! Names of columns, tables and JSON keys.

use truststream_kernel::Result;

use super::cursor::Cursor;
use crate::database::{Field, JsonKey, JsonStep};

/// A name: quoted, or letters, digits, `_`, `$`, spaces and single dashes between them.
pub(super) fn name(cursor: &mut Cursor<'_>) -> Result<String> {
    if cursor.peek() == Some('"') {
        return cursor.quoted();
    }
    if let Some(plain) = cursor.take_plain() {
        return Ok(plain.to_owned());
    }
    let mut text = String::new();
    loop {
        text.push_str(cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '$')));
        if cursor.peek() != Some('-') || cursor.rest().starts_with("->") {
            break;
        }
        cursor.next();
        text.push('-');
    }
    if text.trim().is_empty() {
        return Err(cursor.expected("field name (* or [a..z0..9_$])"));
    }
    Ok(text.trim().to_owned())
}

/// A name with a JSON path behind it.
pub(super) fn field(cursor: &mut Cursor<'_>) -> Result<Field> {
    let name = name(cursor)?;
    Ok(Field { name, path: path(cursor)? })
}

/// Most steps of one JSON path: engines nest them.
const LONGEST: usize = 100;

/// `->key`, `->>key`, `->1`, one after another.
pub(super) fn path(cursor: &mut Cursor<'_>) -> Result<Vec<JsonStep>> {
    let mut steps = Vec::new();
    while cursor.take("->") {
        if steps.len() == LONGEST {
            return Err(cursor.beyond(LONGEST, "steps in a JSON path"));
        }
        let as_text = cursor.take(">");
        steps.push(JsonStep { key: key(cursor)?, as_text });
    }
    Ok(steps)
}

/// A key, or an index: of what begins as one and does not end as one, digits and dashes are a key too, but not
/// behind a sign.
fn key(cursor: &mut Cursor<'_>) -> Result<JsonKey> {
    let before = *cursor;
    let negative = cursor.take("-");
    let digits = cursor.take_while(|c| c.is_ascii_digit());
    if negative && digits.is_empty() {
        return Err(cursor.expected("digit"));
    }
    let rest = cursor.rest();
    let ends = rest.is_empty() || ["->", "::", ".", ",", ")"].iter().any(|end| rest.starts_with(end));
    if let (true, Ok(index)) = (ends, digits.parse::<i64>()) {
        return Ok(JsonKey::Index(if negative { -index } else { index }));
    }
    if negative {
        return Err(cursor.expected("digit, \"->\", \"::\", \".\", \",\" or end of input"));
    }
    *cursor = before;
    if cursor.peek() == Some('"') {
        return Ok(JsonKey::Key(cursor.quoted()?));
    }
    let mut text = String::new();
    loop {
        text.push_str(cursor.take_while(|c| !matches!(c, '(' | '-' | ':' | '.' | ',' | '>' | ')')));
        if cursor.peek() != Some('-') || cursor.rest().starts_with("->") {
            break;
        }
        cursor.next();
        text.push('-');
    }
    if text.is_empty() {
        Err(cursor.expected("\"-\", digit or any non reserved character different from: .,>()"))
    } else {
        Ok(JsonKey::Key(text))
    }
}
