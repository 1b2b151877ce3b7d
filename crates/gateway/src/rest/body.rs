//! Bodies of writes: JSON, or CSV turned into it.

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Error, ErrorKind, Result};

use super::request::RestRequest;

/// The rows of a write as JSON.
///
/// # Errors
/// PGRST102 for a body that is not what its type says, or of a type that is no rows.
pub(super) fn rows(request: &RestRequest) -> Result<Bytes> {
    let content_type = request.header("content-type").unwrap_or("application/json");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json"
        | ""
        | "application/vnd.pgrst.object+json"
        | "application/vnd.pgrst.array+json" => json(&request.body),
        "text/csv" => csv(&request.body),
        "application/x-www-form-urlencoded" => Ok(form(&request.body)),
        other => Err(invalid(format!("Content-Type not acceptable: {other}"))),
    }
}

/// The body, once it is sure to be JSON.
pub(super) fn json(body: &Bytes) -> Result<Bytes> {
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => Ok(body.clone()),
        Err(_) => Err(invalid("Empty or invalid json".to_owned())),
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", message)
}

/// A JSON object without the keys that are not in a list; anything else as it is.
pub(super) fn only(keys: &[String], json: &Bytes) -> Bytes {
    match serde_json::from_slice::<Map<String, Json>>(json) {
        Ok(mut object) => {
            object.retain(|key, _| keys.contains(key));
            Json::Object(object).to_string().into()
        }
        Err(_) => json.clone(),
    }
}

/// A form as one JSON object of texts.
fn form(body: &[u8]) -> Bytes {
    let fields: Map<String, Json> = url::form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), Json::String(value.into_owned())))
        .collect();
    Json::Object(fields).to_string().into()
}

/// CSV with a header line as a JSON array; `NULL` means null, everything else is text for the
/// engine to read by the column's type.
pub(super) fn csv(body: &[u8]) -> Result<Bytes> {
    let text = std::str::from_utf8(body).map_err(|_| invalid("the CSV is not UTF-8".to_owned()))?;
    let mut records = records(text).into_iter();
    let header = records.next().ok_or_else(|| invalid("the CSV has no header".to_owned()))?;
    let mut rows = Vec::new();
    for record in records.filter(|record| *record != [""]) {
        if record.len() != header.len() {
            return Err(invalid("All lines must have same number of fields".to_owned()));
        }
        let row: Map<String, Json> = header
            .iter()
            .cloned()
            .zip(
                record
                    .into_iter()
                    .map(|field| if field == "NULL" { Json::Null } else { Json::String(field) }),
            )
            .collect();
        rows.push(Json::Object(row));
    }
    Ok(Json::Array(rows).to_string().into())
}

/// Records of a CSV text (RFC 4180).
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let (mut record, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_becomes_rows_of_texts() {
        let rows = csv(b"a,b\r\n1,\"x, \"\"y\"\"\"\nNULL,\n\n").unwrap();
        assert_eq!(rows, r#"[{"a":"1","b":"x, \"y\""},{"a":null,"b":""}]"#);
        assert_eq!(csv(b"a,b\n1\n").unwrap_err().code(), "PGRST102");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for body in ["", "}{", "{\"a\":1", "[1,]"] {
            assert_eq!(json(&Bytes::from(body)).unwrap_err().message(), "Empty or invalid json");
        }
    }
}
