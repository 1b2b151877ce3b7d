//! JSON as BSON: whole numbers are `long`, others `decimal128`, so that nothing of them is lost.

use indexmap::IndexMap;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Bson, Document};
use serde_json::value::RawValue;
use truststream_kernel::value::decimal;
use truststream_kernel::value::json::push_string;
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{JsonKey, JsonStep};
use uuid::Uuid;

use crate::storage::{decimal128, number_text};

/// The value of a JSON text in `jsonb`'s normal form.
///
/// # Errors
/// 0A000 for a number of more than 34 digits.
pub(crate) fn native(text: &str) -> Result<Bson> {
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: IndexMap<String, &RawValue> = serde_json::from_str(text).map_err(wrong)?;
            let mut document = Document::new();
            for (name, member) in members {
                document.insert(name, native(member.get())?);
            }
            Bson::Document(document)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
            Bson::Array(elements.iter().map(|element| native(element.get())).collect::<Result<_>>()?)
        }
        Some(b'"') => Bson::String(serde_json::from_str(text).map_err(wrong)?),
        Some(b't') => Bson::Boolean(true),
        Some(b'f') => Bson::Boolean(false),
        Some(b'n') => Bson::Null,
        _ => match text.parse() {
            Ok(number) => Bson::Int64(number),
            Err(_) => match decimal128(&decimal::canonical(text)?)? {
                // There it would be taken for a text.
                Bson::String(_) => {
                    return Err(Error::unsupported(
                        "this database holds numbers of 34 digits at most within JSON",
                    ));
                }
                number => number,
            },
        },
    })
}

/// What steps lead to in the text of `json`, as it is written there; of several members of one name the last.
///
/// # Errors
/// `Internal` for what is no JSON.
pub(crate) fn within(text: &str, steps: &[JsonStep]) -> Result<(Value, Type)> {
    let mut text = text.trim_ascii();
    for step in steps {
        let found = match (text.as_bytes().first(), &step.key) {
            (Some(b'{'), JsonKey::Key(key)) => {
                let members: IndexMap<String, &RawValue> = serde_json::from_str(text).map_err(wrong)?;
                members.get(key).copied()
            }
            (Some(b'['), JsonKey::Index(at)) => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let size = i64::try_from(elements.len()).unwrap_or(i64::MAX);
                let at = if *at < 0 { at.saturating_add(size) } else { *at };
                usize::try_from(at).ok().and_then(|at| elements.get(at).copied())
            }
            _ => None,
        };
        let Some(found) = found else { return Ok((Value::Null, Type::Json)) };
        text = found.get();
    }
    if !steps.last().is_some_and(|step| step.as_text) {
        return Ok((Value::Json(text.to_owned()), Type::Json));
    }
    let value = match text.as_bytes().first() {
        Some(b'"') => Value::Text(serde_json::from_str(text).map_err(wrong)?),
        Some(b'n') => Value::Null,
        _ => Value::Text(text.to_owned()),
    };
    Ok((value, Type::Text))
}

fn wrong(error: serde_json::Error) -> Error {
    Error::internal("a JSON value can't be read").with_source(error)
}

/// A value as JSON text, in `jsonb`'s normal form.
pub(crate) fn text(value: &Bson) -> String {
    let mut out = String::new();
    push(value, &mut out);
    out
}

/// Appends the same.
pub(crate) fn push(value: &Bson, out: &mut String) {
    write(value, [", ", ": "], out);
}

/// Appends a value without white space, as PostgreSQL prints arrays and rows as `json`.
pub(crate) fn push_compact(value: &Bson, out: &mut String) {
    write(value, [",", ":"], out);
}

fn write(value: &Bson, signs: [&str; 2], out: &mut String) {
    let [between, naming] = signs;
    match value {
        Bson::String(text) => push_string(out, text),
        Bson::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Bson::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push_str(between);
                }
                write(element, signs, out);
            }
            out.push(']');
        }
        Bson::Document(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push_str(between);
                }
                push_string(out, name);
                out.push_str(naming);
                write(member, signs, out);
            }
            out.push('}');
        }
        // PostgreSQL quotes what JSON has no numbers for.
        Bson::Double(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
        }
        // As functions put it into what they make.
        Bson::Binary(binary) if binary.subtype == BinarySubtype::Uuid => {
            match Uuid::from_slice(&binary.bytes) {
                Ok(uuid) => push_string(out, &uuid.to_string()),
                Err(_) => out.push_str("null"),
            }
        }
        other => out.push_str(&number_text(other).unwrap_or_else(|| "null".to_owned())),
    }
}
