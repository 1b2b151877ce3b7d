//! What functions say of the reply by the settings `response.status` and `response.headers`.

use serde_json::{Map, Value as Json};
use truststream_kernel::{Error, ErrorKind, Result};

/// The status that a function asked for.
///
/// # Errors
/// PGRST112 for what is no status.
pub fn status(setting: Option<&str>) -> Result<Option<u16>> {
    let Some(text) = setting else { return Ok(None) };
    match text.parse() {
        Ok(status) if (100..600).contains(&status) => Ok(Some(status)),
        _ => Err(Error::new(
            ErrorKind::Internal,
            "PGRST112",
            "response.status guc must be a valid status code",
        )),
    }
}

/// The headers that a function asked for.
///
/// # Errors
/// PGRST111 for what is no list of objects with one member each.
pub fn headers(setting: Option<&str>) -> Result<Vec<(String, String)>> {
    let Some(text) = setting else { return Ok(Vec::new()) };
    let invalid = || {
        Error::new(
            ErrorKind::Internal,
            "PGRST111",
            "response.headers guc must be a JSON array composed of objects with a single key and a string value",
        )
    };
    let list: Vec<Map<String, Json>> = serde_json::from_str(text).map_err(|_| invalid())?;
    list.into_iter()
        .map(|object| {
            let mut members = object.into_iter();
            match (members.next(), members.next()) {
                (Some((name, Json::String(value))), None) => Ok((name, value)),
                _ => Err(invalid()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_or_refused() {
        assert_eq!(status(Some("418")).unwrap(), Some(418));
        assert_eq!(status(None).unwrap(), None);
        assert_eq!(status(Some("bad")).unwrap_err().code(), "PGRST112");
        let list = headers(Some(r#"[{"A":"1"},{"A":"2"}]"#)).unwrap();
        assert_eq!(list, [("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())]);
        for bad in [r#"{"A":"1"}"#, r#"["A"]"#, r#"[{"A":"1","B":"2"}]"#, r#"[{"A":1}]"#] {
            assert_eq!(headers(Some(bad)).unwrap_err().code(), "PGRST111", "{bad}");
        }
    }
}
