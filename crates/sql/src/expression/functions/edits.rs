//! Documents of `jsonb` changed: `||`, `-`, `#-`, `jsonb_set`, `jsonb_insert`, `jsonb_strip_nulls`.
//!
//! <https://www.postgresql.org/docs/15/functions-json.html>

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::value::jsonb;
use truststream_kernel::{Error, ErrorKind, Result, Value};

use super::{integer, text};

fn refused(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message.into())
}

/// A document one step deep; numbers keep the digits they were written with.
enum Document<'a> {
    Object(IndexMap<String, &'a str>),
    Array(Vec<&'a str>),
    Scalar(&'a str),
}

impl<'a> Document<'a> {
    fn read(json: &'a str) -> Result<Self> {
        let broken = |error| Error::internal("a document was expected").with_source(error);
        Ok(match json.trim_start().as_bytes().first() {
            Some(b'{') => {
                let members: IndexMap<String, &RawValue> = serde_json::from_str(json).map_err(broken)?;
                Document::Object(members.into_iter().map(|(key, value)| (key, value.get())).collect())
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).map_err(broken)?;
                Document::Array(items.into_iter().map(RawValue::get).collect())
            }
            _ => Document::Scalar(json),
        })
    }

    fn write(&self) -> String {
        match self {
            Document::Object(members) => {
                let members = members.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            Document::Array(items) => format!("[{}]", items.join(",")),
            Document::Scalar(json) => (*json).to_owned(),
        }
    }

    fn items(self) -> Vec<&'a str> {
        match self {
            Document::Array(items) => items,
            Document::Scalar(json) => vec![json],
            Document::Object(_) => Vec::new(),
        }
    }
}

fn quoted(text: &str) -> String {
    Value::Text(text.to_owned()).to_json()
}

fn done(json: &str) -> Result<Value> {
    jsonb::normalize(json).map(Value::Text)
}

fn keys(json: &str) -> Result<Vec<Option<String>>> {
    serde_json::from_str(json).map_err(|error| Error::internal("an array was expected").with_source(error))
}

/// `left || right`
pub(super) fn concatenated(arguments: &[Value]) -> Result<Value> {
    let (left, right) = (text(arguments, 0)?, text(arguments, 1)?);
    let joined = match (Document::read(left)?, Document::read(right)?) {
        (Document::Object(mut members), Document::Object(more)) => {
            members.extend(more);
            Document::Object(members)
        }
        (Document::Object(_), Document::Array(items)) => {
            Document::Array(std::iter::once(left).chain(items).collect())
        }
        (Document::Array(mut items), Document::Object(_)) => {
            items.push(right);
            Document::Array(items)
        }
        (Document::Object(_), Document::Scalar(_)) | (Document::Scalar(_), Document::Object(_)) => {
            Document::Array(vec![left, right])
        }
        (left, right) => {
            let mut items = left.items();
            items.extend(right.items());
            Document::Array(items)
        }
    };
    done(&joined.write())
}

/// `document - key`, `document - keys`, `document - index`.
pub(super) fn without(arguments: &[Value]) -> Result<Value> {
    let mut document = Document::read(text(arguments, 0)?)?;
    let gone: Vec<String> = match arguments.get(1) {
        Some(Value::Int(index)) => {
            let index = *index;
            match &mut document {
                Document::Object(_) => {
                    return Err(refused("22023", "cannot delete from object using integer index"));
                }
                Document::Scalar(_) => return Err(refused("22023", "cannot delete from scalar")),
                Document::Array(items) => {
                    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                    let at = usize::try_from(if index < 0 { length + index } else { index }).ok();
                    if let Some(at) = at.filter(|at| *at < items.len()) {
                        items.remove(at);
                    }
                }
            }
            return done(&document.write());
        }
        Some(Value::Text(keys)) if integer(arguments, 2)? == 1 => {
            self::keys(keys)?.into_iter().flatten().collect()
        }
        _ => vec![text(arguments, 1)?.to_owned()],
    };
    match &mut document {
        Document::Object(members) => members.retain(|key, _| !gone.contains(key)),
        Document::Array(items) => {
            let is_gone = |item: &str| {
                item.starts_with('"')
                    && gone.iter().any(|key| serde_json::from_str(item).is_ok_and(|one: String| one == *key))
            };
            items.retain(|item| !is_gone(item));
        }
        Document::Scalar(_) => return Err(refused("22023", "cannot delete from scalar")),
    }
    done(&document.write())
}

/// What is done at the end of a path.
#[derive(Clone, Copy)]
enum Edit<'a> {
    Remove,
    /// With whether to make what is missing.
    Set(&'a str, bool),
    /// With whether behind the place.
    Insert(&'a str, bool),
}

/// `document #- path`
pub(super) fn remove(arguments: &[Value]) -> Result<Value> {
    if let Document::Scalar(_) = Document::read(text(arguments, 0)?)? {
        return Err(refused("22023", "cannot delete path in scalar"));
    }
    edited(arguments, Edit::Remove)
}

/// `jsonb_set(document, path, value, create)`
pub(super) fn set(arguments: &[Value]) -> Result<Value> {
    if let Document::Scalar(_) = Document::read(text(arguments, 0)?)? {
        return Err(refused("22023", "cannot set path in scalar"));
    }
    edited(arguments, Edit::Set(text(arguments, 2)?, integer(arguments, 3)? == 1))
}

/// `jsonb_insert(document, path, value, after)`
pub(super) fn insert(arguments: &[Value]) -> Result<Value> {
    if let Document::Scalar(_) = Document::read(text(arguments, 0)?)? {
        return Err(refused("22023", "cannot set path in scalar"));
    }
    edited(arguments, Edit::Insert(text(arguments, 2)?, integer(arguments, 3)? == 1))
}

fn edited(arguments: &[Value], edit: Edit<'_>) -> Result<Value> {
    let path = keys(text(arguments, 1)?)?;
    let path = path.into_iter().enumerate().map(|(at, key)| {
        key.ok_or_else(|| refused("22004", format!("path element at position {} is null", at + 1)))
    });
    let path = path.collect::<Result<Vec<_>>>()?;
    let document = text(arguments, 0)?;
    done(&at(document, &path, 1, edit)?.unwrap_or_else(|| document.to_owned()))
}

/// A document with an edit made at a path, or nothing if there is no such place. `depth` counts from 1.
fn at(json: &str, path: &[String], depth: usize, edit: Edit<'_>) -> Result<Option<String>> {
    let Some((key, deeper)) = path.split_first() else { return Ok(None) };
    let mut document = Document::read(json)?;
    let changed;
    match &mut document {
        Document::Scalar(_) => return Ok(None),
        Document::Object(members) => match (members.get(key).copied(), deeper.is_empty(), edit) {
            (Some(_), true, Edit::Insert(..)) => return Err(refused("22023", "cannot replace existing key")),
            (Some(_), true, Edit::Remove) => drop(members.shift_remove(key)),
            (_, true, Edit::Set(value, create)) if create || members.contains_key(key) => {
                members.insert(key.clone(), value);
            }
            (None, true, Edit::Insert(value, _)) => drop(members.insert(key.clone(), value)),
            (Some(inner), false, _) => match at(inner, deeper, depth + 1, edit)? {
                Some(inner) => {
                    changed = inner;
                    members.insert(key.clone(), &changed);
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        },
        Document::Array(items) => {
            let index: i64 = key.parse().map_err(|_| {
                refused("22P02", format!("path element at position {depth} is not an integer: \"{key}\""))
            })?;
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = if index < 0 { length + index } else { index };
            let found = usize::try_from(place).ok().filter(|place| *place < items.len());
            match (found, deeper.is_empty(), edit) {
                (Some(place), true, Edit::Remove) => drop(items.remove(place)),
                (Some(place), true, Edit::Set(value, _)) => items[place] = value,
                (Some(place), true, Edit::Insert(value, after)) => {
                    items.insert(place + usize::from(after), value)
                }
                // Beyond an end: at that end.
                (None, true, Edit::Set(value, true) | Edit::Insert(value, _)) => {
                    items.insert(if place < 0 { 0 } else { items.len() }, value);
                }
                (Some(place), false, _) => match at(items[place], deeper, depth + 1, edit)? {
                    Some(inner) => {
                        changed = inner;
                        items[place] = &changed;
                    }
                    None => return Ok(None),
                },
                _ => return Ok(None),
            }
        }
    }
    Ok(Some(document.write()))
}

/// `jsonb_strip_nulls(document)`: members that are null, however deep.
pub(super) fn strip_nulls(arguments: &[Value]) -> Result<Value> {
    done(&stripped(text(arguments, 0)?)?)
}

fn stripped(json: &str) -> Result<String> {
    match Document::read(json)? {
        Document::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| *value != "null");
            let kept = kept.map(|(key, value)| Ok(format!("{}:{}", quoted(&key), stripped(value)?)));
            Ok(format!("{{{}}}", kept.collect::<Result<Vec<_>>>()?.join(",")))
        }
        Document::Array(items) => {
            let items = items.into_iter().map(stripped).collect::<Result<Vec<_>>>()?;
            Ok(format!("[{}]", items.join(",")))
        }
        Document::Scalar(json) => Ok(json.to_owned()),
    }
}

/// `jsonb_pretty(document)`
pub(super) fn pretty(arguments: &[Value]) -> Result<Value> {
    let mut out = String::new();
    indented(&jsonb::normalize(text(arguments, 0)?)?, 0, &mut out)?;
    Ok(Value::Text(out))
}

fn indented(json: &str, depth: usize, out: &mut String) -> Result<()> {
    let (open, close, lines) = match Document::read(json)? {
        Document::Scalar(json) => {
            out.push_str(json.trim());
            return Ok(());
        }
        Document::Object(members) => {
            let members = members.into_iter().map(|(key, value)| (format!("{}: ", quoted(&key)), value));
            ('{', '}', members.collect::<Vec<_>>())
        }
        Document::Array(items) => ('[', ']', items.into_iter().map(|item| (String::new(), item)).collect()),
    };
    out.push(open);
    for (at, (before, value)) in lines.into_iter().enumerate() {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        out.push_str(&"    ".repeat(depth + 1));
        out.push_str(&before);
        indented(value, depth + 1, out)?;
    }
    out.push('\n');
    out.push_str(&"    ".repeat(depth));
    out.push(close);
    Ok(())
}
