//! JSON without nulls, as `json_strip_nulls` makes it.

use indexmap::IndexMap;
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
            let members: IndexMap<String, &RawValue> = serde_json::from_str(json)?;
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
