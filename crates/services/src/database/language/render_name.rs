//! Names and paths as text.

use crate::database::{Field, JsonKey, JsonStep};

/// Words that mean something of their own where a column could stand.
const WORDS: &[&str] = &["and", "columns", "limit", "not", "offset", "on_conflict", "or", "order", "select"];

/// A name, quoted where it would be read as something else.
pub(super) fn name(name: &str) -> String {
    if is_plain(name) && !WORDS.contains(&name) { name.to_owned() } else { quoted(name) }
}

pub(super) fn field(field: &Field) -> String {
    format!("{}{}", name(&field.name), path(&field.path))
}

pub(super) fn path(steps: &[JsonStep]) -> String {
    steps.iter().map(step).collect()
}

/// A text between double quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Nothing but letters, digits and `_`.
pub(super) fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn step(step: &JsonStep) -> String {
    let arrow = if step.as_text { "->>" } else { "->" };
    match &step.key {
        JsonKey::Index(index) => format!("{arrow}{index}"),
        // A key of digits would be read as an index.
        JsonKey::Key(key) if is_plain(key) && !key.chars().all(|c| c.is_ascii_digit()) => {
            format!("{arrow}{key}")
        }
        JsonKey::Key(key) => format!("{arrow}{}", quoted(key)),
    }
}
