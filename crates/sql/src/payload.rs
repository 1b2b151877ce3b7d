//! The body of a write: one JSON object or an array of them.

mod streamed;

use std::borrow::Cow;
use std::hash::Hash;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use truststream_kernel::{Error, ErrorKind, Result};

pub use streamed::{OwnedObject, Scanned};

/// A row of a body: its members as they are written.
pub type Object<'b> = IndexMap<Key<'b>, &'b RawValue>;

/// A member's name, where it lies in the body unless it has escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Key<'b>(#[serde(borrow)] Cow<'b, str>);

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Key<'_> {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a body holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// One object rather than an array.
    pub object: bool,
    /// How many rows.
    pub rows: usize,
    /// The keys of its objects, in the order of the first.
    pub columns: Vec<String>,
}

impl Payload {
    /// Reads which keys the rows of a body have.
    ///
    /// # Errors
    /// PGRST102 if it is not JSON, or its objects don't have the same keys.
    pub fn read(body: &[u8]) -> Result<Self> {
        let object = Payload::is_object(body);
        let rows: Vec<IndexMap<String, IgnoredAny>> = like(body)?;
        let (count, first) = (rows.len(), rows.into_iter().next().unwrap_or_default());
        Ok(Payload { object, rows: count, columns: first.into_keys().collect() })
    }

    /// The rows of a body, which all have the keys of the first.
    ///
    /// # Errors
    /// Those of [`Payload::read`].
    pub fn like_rows(body: &[u8]) -> Result<Vec<Object<'_>>> {
        like(body)
    }

    /// The rows of a body, whatever keys each has.
    ///
    /// # Errors
    /// PGRST102 if it is not JSON, or neither an object nor an array of objects.
    pub fn any_rows(body: &[u8]) -> Result<Vec<Object<'_>>> {
        if Payload::is_object(body) { parse(body).map(|object| vec![object]) } else { parse(body) }
    }

    /// Whether a body looks like one object.
    pub fn is_object(body: &[u8]) -> bool {
        body.trim_ascii_start().first() == Some(&b'{')
    }

    /// Checks that a body is JSON.
    ///
    /// # Errors
    /// PGRST102 if it is not.
    pub fn check(body: &[u8]) -> Result<()> {
        parse::<IgnoredAny>(body).map(drop)
    }
}

/// The rows of a body, which all have the keys of the first.
fn like<'b, K, V>(body: &'b [u8]) -> Result<Vec<IndexMap<K, V>>>
where
    K: Deserialize<'b> + Eq + Hash,
    V: Deserialize<'b>,
{
    if Payload::is_object(body) {
        return Ok(vec![parse(body)?]);
    }
    if body.trim_ascii_start().first() != Some(&b'[') {
        Payload::check(body)?;
        return Err(keys_differ());
    }
    let rows: Vec<IndexMap<K, V>> = serde_json::from_slice(body)
        .map_err(|error| if error.is_data() { keys_differ() } else { invalid(error) })?;
    if let Some((first, others)) = rows.split_first()
        && others.iter().any(|row| row.len() != first.len() || row.keys().any(|key| !first.contains_key(key)))
    {
        return Err(keys_differ());
    }
    Ok(rows)
}

fn parse<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(invalid)
}

fn invalid(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", "Empty or invalid json").with_source(error)
}

/// The error of rows that don't have the same keys.
pub fn keys_differ() -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", "All object keys must match")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_every_row() {
        let columns = |body: &str| Payload::read(body.as_bytes()).unwrap().columns;
        assert_eq!(columns(r#" {"b":1,"a":{"c":2}}"#), ["b", "a"]);
        assert_eq!(columns(r#"[{"a":1,"b":2},{"b":3,"a":4}]"#), ["a", "b"]);
        assert!(columns("[]").is_empty());
    }

    #[test]
    fn what_is_no_list_of_like_objects_is_refused() {
        for (body, message) in [
            (r#"[{"a":1},{"b":2}]"#, "All object keys must match"),
            (r#"[{"a":1},{}]"#, "All object keys must match"),
            ("[1]", "All object keys must match"),
            ("", "Empty or invalid json"),
            ("[{", "Empty or invalid json"),
            ("{\"a\":}", "Empty or invalid json"),
        ] {
            let error = Payload::read(body.as_bytes()).unwrap_err();
            assert_eq!((error.code(), error.message()), ("PGRST102", message), "{body}");
        }
    }
}
