//! Bodies that are read as they come, in memory for one row.

use std::fmt;
use std::io::Read;

use indexmap::IndexMap;
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use truststream_kernel::{Error, Result};

use super::{Payload, invalid, keys_differ};

/// A row of a body that is read as it comes.
pub type OwnedObject = IndexMap<String, Box<RawValue>>;

/// What a body holds that was read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The first row's keys, and how many rows there are.
    pub payload: Payload,
    /// A row is no object, or has other keys than the first.
    pub differ: bool,
}

impl Scanned {
    /// What the body holds, if all of its rows have the same keys.
    ///
    /// # Errors
    /// PGRST102 if not.
    pub fn alike(self) -> Result<Payload> {
        if self.differ { Err(keys_differ()) } else { Ok(self.payload) }
    }
}

impl Payload {
    /// Reads a body to its end, and which keys its rows have.
    ///
    /// # Errors
    /// PGRST102 if it is not JSON.
    pub fn scan(body: impl Read) -> Result<Scanned> {
        let mut scanned = Scanned::default();
        let mut json = serde_json::Deserializer::from_reader(body);
        json.deserialize_any(Whole(&mut scanned)).and_then(|()| json.end()).map_err(invalid)?;
        Ok(scanned)
    }

    /// Gives each row of a body to `each`, whose error ends it.
    ///
    /// # Errors
    /// PGRST102 if it is not JSON, or neither an object nor an array of objects; and those of `each`.
    pub fn each_row(body: impl Read, mut each: impl FnMut(OwnedObject) -> Result<()>) -> Result<()> {
        let mut failure = None;
        let mut json = serde_json::Deserializer::from_reader(body);
        let mut give = |row| each(row).map_err(|error| failure = Some(error)).is_ok();
        let read = json.deserialize_any(Rows(&mut give)).and_then(|()| json.end());
        match (failure, read) {
            (Some(failure), _) => Err(failure),
            (None, read) => read.map_err(unlike),
        }
    }
}

fn unlike(error: serde_json::Error) -> Error {
    if error.is_data() { keys_differ() } else { invalid(error) }
}

/// What is neither an object nor an array.
macro_rules! scalars {
    ($($visit:ident: $ty:ty),+) => {
        $(fn $visit<E>(self, _: $ty) -> Result<(), E> {
            self.0.differ = true;
            Ok(())
        })+

        fn visit_unit<E>(self) -> Result<(), E> {
            self.0.differ = true;
            Ok(())
        }
    };
}

/// The whole body: an object, an array of them, or something else.
struct Whole<'s>(&'s mut Scanned);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.payload.object = true;
        Row(self.0).visit_map(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while rows.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

/// One element of the array.
struct Row<'s>(&'s mut Scanned);

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, row: D) -> Result<(), D::Error> {
        row.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Scanned { payload, differ } = self.0;
        let is_first = payload.rows == 0;
        payload.rows += 1;
        let mut seen = Vec::new();
        while let Some(key) = members.next_key_seed(Known { names: &payload.columns, next: seen.len() })? {
            match key {
                Ok(at) if !seen.contains(&at) => seen.push(at),
                Ok(_) => {}
                Err(name) if is_first => {
                    seen.push(payload.columns.len());
                    payload.columns.push(name);
                }
                Err(_) => *differ = true,
            }
            members.next_value::<IgnoredAny>()?;
        }
        *differ |= seen.len() != payload.columns.len();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.0.differ = true;
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    scalars!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);
}

/// A member's name: which of those known it is, or itself.
struct Known<'n> {
    names: &'n [String],
    /// The one that comes next, in rows like the first.
    next: usize,
}

impl<'de> DeserializeSeed<'de> for Known<'_> {
    type Value = Result<usize, String>;

    fn deserialize<D: serde::Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Known<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if self.names.get(self.next).is_some_and(|next| next == name) {
            return Ok(Ok(self.next));
        }
        Ok(self.names.iter().position(|known| known == name).ok_or_else(|| name.to_owned()))
    }
}

/// Gives away row after row; `false` ends it.
struct Rows<'e>(&'e mut dyn FnMut(OwnedObject) -> bool);

impl Rows<'_> {
    fn give<E: serde::de::Error>(&mut self, row: OwnedObject) -> Result<(), E> {
        if (self.0)(row) { Ok(()) } else { Err(E::custom("not wanted")) }
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut row = OwnedObject::new();
        while let Some((name, value)) = members.next_entry()? {
            row.insert(name, value);
        }
        self.give(row)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            self.give(row)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_finds_what_a_reading_in_memory_finds() {
        for body in [
            r#" {"b":1,"a":{"c":2}}"#,
            r#"[{"a":1,"b":2},{"b":3,"a":4}]"#,
            r#"[{"a":1,"b":2},{"b":3,"a":4,"a":5}]"#,
            "[]",
            "[{},{}]",
            r#"[{"a":1},{"b":2}]"#,
            r#"[{"a":1},{}]"#,
            r#"[{},{"a":1}]"#,
            "[1]",
            "[[1]]",
            "null",
            "7",
            "\"x\"",
            "",
            "[{",
            "[{}]]",
            "{\"a\":}",
        ] {
            let scanned = Payload::scan(body.as_bytes()).and_then(Scanned::alike);
            match (Payload::read(body.as_bytes()), scanned) {
                (Ok(read), Ok(scanned)) => assert_eq!(read, scanned, "{body}"),
                (read, scanned) => {
                    assert_eq!(read.unwrap_err().message(), scanned.unwrap_err().message(), "{body}");
                }
            }
        }
    }

    #[test]
    fn rows_come_one_by_one_until_one_is_refused() {
        let rows = |body: &str, refused: &str| {
            let mut seen = Vec::new();
            let read = Payload::each_row(body.as_bytes(), |row| {
                seen.push(row["a"].get().to_owned());
                if row["a"].get() == refused { Err(Error::invalid_input("refused")) } else { Ok(()) }
            });
            (seen.join(","), read.err().map(|error| error.message().to_owned()))
        };
        assert_eq!(rows(r#"[{"a":1},{"a":[2]}]"#, ""), ("1,[2]".into(), None));
        assert_eq!(rows(r#"{"a":"x"}"#, ""), (r#""x""#.into(), None));
        assert_eq!(rows(r#"[{"a":1},{"a":2},{"a":3}]"#, "2"), ("1,2".into(), Some("refused".into())));
        assert_eq!(rows(r#"[{"a":1},{"a":2"#, ""), ("1".into(), Some("Empty or invalid json".into())));
        assert_eq!(rows(r#"[{"a":1},7]"#, ""), ("1".into(), Some("All object keys must match".into())));
    }
}
