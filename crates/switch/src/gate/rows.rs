//! The tenants that a request's rows name.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use crate::machine::TenantKind;

/// What rows say of whose they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Each is one of these.
    Tenants(BTreeSet<String>),
    /// A row does not say.
    Nothing,
    /// One says it twice, or in a way that an engine might read otherwise.
    Unclear,
}

impl Said {
    /// Reads one row or a list of them, as JSON.
    pub(super) fn read(body: &[u8], column: &str, kind: TenantKind) -> Self {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let said = Rows { column, kind }.deserialize(&mut reader);
        said.ok().filter(|_| reader.end().is_ok()).unwrap_or(Said::Unclear)
    }

    fn and(self, other: Said) -> Said {
        match (self, other) {
            (Said::Tenants(mut all), Said::Tenants(more)) => {
                all.extend(more);
                Said::Tenants(all)
            }
            (Said::Unclear, _) | (_, Said::Unclear) => Said::Unclear,
            _ => Said::Nothing,
        }
    }
}

#[derive(Clone, Copy)]
struct Rows<'c> {
    column: &'c str,
    kind: TenantKind,
}

impl Rows<'_> {
    fn value(self, value: &Json) -> Said {
        let text = match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) if self.kind == TenantKind::Integer && number.is_i64() => {
                Some(number.to_string())
            }
            _ => None,
        };
        let tenant = text.and_then(|text| self.kind.canonical(&text));
        tenant.map_or(Said::Unclear, |tenant| Said::Tenants([tenant].into()))
    }
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = Said;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Said, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Said;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a row or a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Said, A::Error> {
        let mut said = Said::Tenants(BTreeSet::new());
        while let Some(row) = rows.next_element_seed(self)? {
            said = said.and(row);
        }
        Ok(said)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut row: A) -> Result<Said, A::Error> {
        let mut said = Said::Nothing;
        while let Some(name) = row.next_key::<String>()? {
            if name != self.column {
                row.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = self.value(&row.next_value()?);
            // Of two members of one name, engines take the one or the other.
            said = if said == Said::Nothing { value } else { Said::Unclear };
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read(body.as_bytes(), "org", TenantKind::Text)
    }

    fn tenants(names: &[&str]) -> Said {
        Said::Tenants(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn every_row_has_to_say_it_once() {
        assert_eq!(said(r#"{"id":1,"org":"a"}"#), tenants(&["a"]));
        assert_eq!(said(r#"[{"org":"a","of":{"org":"b"}},{"or\u0067":"b"}]"#), tenants(&["a", "b"]));
        assert_eq!(said("[]"), tenants(&[]));
        assert_eq!(said(r#"[{"org":"a"},{"id":2}]"#), Said::Nothing);
        for unclear in [
            r#"{"org":"a","org":"b"}"#,
            r#"{"org":null}"#,
            r#"{"org":1}"#,
            r#"[{"org":["a"]}]"#,
            "{",
            "{}{}",
            "7",
        ] {
            assert_eq!(said(unclear), Said::Unclear, "{unclear}");
        }
        let number = |body: &str| Said::read(body.as_bytes(), "org", TenantKind::Integer);
        assert_eq!((number(r#"{"org":7}"#), number(r#"{"org":"007"}"#)), (tenants(&["7"]), tenants(&["7"])));
        assert_eq!(number(r#"{"org":7.5}"#), Said::Unclear);
    }
}
