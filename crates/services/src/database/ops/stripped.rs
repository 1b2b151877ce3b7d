//! JSON without nulls, as `json_strip_nulls` makes it.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use truststream_kernel::value::json::push_string;
use truststream_kernel::{Error, Result};

/// JSON without the null members of its objects; everything else stays as it is.
///
/// # Errors
/// For a text that is no JSON.
pub(super) fn without_nulls(json: &str) -> Result<String> {
    let mut out = String::with_capacity(json.len());
    strip(json, &mut out).map_err(|error| Error::internal("a reply is not JSON").with_source(error))?;
    Ok(out)
}

/// The members of an object in their order, those of one name beside each other too.
struct Members<'j>(Vec<(String, &'j RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn strip(json: &str, out: &mut String) -> serde_json::Result<()> {
    match json.as_bytes().first() {
        Some(b'[') => {
            out.push('[');
            for (index, element) in serde_json::from_str::<Vec<&RawValue>>(json)?.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                strip(element.get(), out)?;
            }
            out.push(']');
        }
        Some(b'{') => {
            let Members(members) = serde_json::from_str(json)?;
            out.push('{');
            let mut first = true;
            for (name, value) in members.into_iter().filter(|(_, value)| value.get() != "null") {
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                push_string(out, &name);
                out.push(':');
                strip(value.get(), out)?;
            }
            out.push('}');
        }
        _ => out.push_str(json),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::without_nulls;

    #[test]
    fn nulls_go_and_all_else_stays_as_it_is() {
        let json = r#"[{"a":null,"b":[null,{"c":null,"d":1.50}]},{"a":1,"a":null,"a":2}]"#;
        assert_eq!(without_nulls(json).unwrap(), r#"[{"b":[null,{"d":1.50}]},{"a":1,"a":2}]"#);
        assert!(without_nulls("[").is_err());
    }
}
