//! What a body of one row says, read without taking the row into memory.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

/// The members of one JSON object.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// All names, in order.
    pub(super) names: Vec<String>,
    /// The members that were asked for.
    pub(super) picked: Map<String, Json>,
}

impl Members {
    /// Reads an object, or an array of one object, with the members of these names.
    ///
    /// # Errors
    /// For everything else.
    pub(super) fn read(body: impl Read, picked: &[&str]) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_reader(body);
        let members = OneRow { picked, nested: true }.deserialize(&mut json)?;
        json.end()?;
        Ok(members)
    }
}

struct OneRow<'p> {
    picked: &'p [&'p str],
    /// Whether it may be the only element of an array.
    nested: bool,
}

impl<'de> DeserializeSeed<'de> for OneRow<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, row: D) -> Result<Members, D::Error> {
        row.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OneRow<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = row.next_key::<String>()? {
            if self.picked.contains(&name.as_str()) {
                members.picked.insert(name.clone(), row.next_value()?);
            } else {
                row.next_value::<IgnoredAny>()?;
            }
            members.names.push(name);
        }
        Ok(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Members, A::Error> {
        if !self.nested {
            return Err(A::Error::custom("an array in an array is no row"));
        }
        let row = rows.next_element_seed(OneRow { picked: self.picked, nested: false })?;
        match (row, rows.next_element::<IgnoredAny>()?) {
            (Some(row), None) => Ok(row),
            _ => Err(A::Error::custom("there is not one row")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_row_has_members() {
        let read = |body: &str| {
            let members = Members::read(body.as_bytes(), &["id"]).ok()?;
            Some((members.names.join(","), Json::Object(members.picked).to_string()))
        };
        let expected = Some(("id,note".to_owned(), r#"{"id":7}"#.to_owned()));
        assert_eq!(read(r#" {"id":7,"note":{"id":8}}"#), expected);
        assert_eq!(read(r#"[{"id":7,"note":[1]}]"#), expected);
        for body in ["[]", r#"[{"id":7},{"id":8}]"#, r#"[[{"id":7}]]"#, "7", r#"{"id":7"#, r#"{"id":7}{}"#] {
            assert_eq!(read(body), None, "{body}");
        }
    }
}
