//! The body of a write: one JSON object or an array of them.

use indexmap::IndexMap;
use serde::de::IgnoredAny;
use truststream_kernel::{Error, ErrorKind, Result};

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
        if Payload::is_object(body) {
            let object: IndexMap<String, IgnoredAny> = parse(body)?;
            return Ok(Payload { object: true, rows: 1, columns: object.into_keys().collect() });
        }
        if body.trim_ascii_start().first() != Some(&b'[') {
            Payload::check(body)?;
            return Err(keys_differ());
        }
        let rows: Vec<IndexMap<String, IgnoredAny>> = serde_json::from_slice(body)
            .map_err(|error| if error.is_data() { keys_differ() } else { invalid(error) })?;
        let count = rows.len();
        let mut rows = rows.into_iter();
        let first = rows.next().unwrap_or_default();
        if rows.any(|row| row.len() != first.len() || row.keys().any(|key| !first.contains_key(key))) {
            return Err(keys_differ());
        }
        Ok(Payload { object: false, rows: count, columns: first.into_keys().collect() })
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

fn parse<'b, T: serde::Deserialize<'b>>(body: &'b [u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(invalid)
}

fn invalid(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", "Empty or invalid json").with_source(error)
}

fn keys_differ() -> Error {
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
