//! Bodies of writes: JSON, or CSV turned into it.
//!
//! A small body is in memory and looked at here. A large one lies in a file; that it is JSON is found out by
//! the database, which has to read it anyway.

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Body, Error, ErrorKind, Result};

use super::csv;
use super::members::Members;
use super::request::RestRequest;

/// The rows of a write as JSON.
///
/// # Errors
/// PGRST102 for a body that is not what its type says, or of a type that is no rows.
pub(super) async fn rows(request: &RestRequest) -> Result<Body> {
    let content_type = request.header("content-type").unwrap_or("application/json");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json"
        | ""
        | "application/vnd.pgrst.object+json"
        | "application/vnd.pgrst.array+json" => json(&request.body),
        "text/csv" => csv(&request.body).await,
        "application/x-www-form-urlencoded" => Ok(form(&whole(&request.body).await?)),
        other => Err(invalid(format!("Content-Type not acceptable: {other}"))),
    }
}

/// The body, which is sure to be JSON if it is in memory.
pub(super) fn json(body: &Body) -> Result<Body> {
    match body.in_memory().map(|body| serde_json::from_slice::<IgnoredAny>(body)) {
        Some(Err(_)) => Err(invalid("Empty or invalid json".to_owned())),
        _ => Ok(body.clone()),
    }
}

/// All of the body, in memory.
pub(super) async fn whole(body: &Body) -> Result<Bytes> {
    body.collect(usize::MAX).await
}

/// Rows in CSV as JSON.
pub(super) async fn csv(body: &Body) -> Result<Body> {
    match body.in_memory() {
        Some(body) => csv::csv(&body[..]),
        None => off_thread(body, csv::csv).await?,
    }
}

/// The members of the only row of a body, those of some names with their values; nothing if it has no or many.
pub(super) async fn members(body: &Body, picked: &[&str]) -> Result<Option<Members>> {
    if let Some(body) = body.in_memory() {
        return Ok(Members::read(&body[..], picked).ok());
    }
    let picked: Vec<String> = picked.iter().map(|name| (*name).to_owned()).collect();
    let read = move |body| Members::read(body, &picked.iter().map(String::as_str).collect::<Vec<_>>());
    off_thread(body, read).await.map(Result::ok)
}

/// Reads a body on a thread that may block.
async fn off_thread<T: Send + 'static>(
    body: &Body,
    read: impl FnOnce(Box<dyn std::io::Read + Send>) -> T + Send + 'static,
) -> Result<T> {
    let body = body.clone();
    let reading = tokio::task::spawn_blocking(move || read(body.reader())).await;
    reading.map_err(|error| Error::internal("reading a body stopped").with_source(error))
}

pub(super) fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "PGRST102", message)
}

/// A JSON object without the keys that are not in a list; anything else as it is.
pub(super) async fn only(keys: &[String], json: Body) -> Result<Body> {
    // What has no other keys stays where it is.
    if json.in_memory().is_none() {
        let members = members(&json, &[]).await?;
        if members.is_none_or(|members| members.names.iter().all(|name| keys.contains(name))) {
            return Ok(json);
        }
    }
    Ok(match serde_json::from_slice::<Map<String, Json>>(&whole(&json).await?) {
        Ok(mut object) => {
            object.retain(|key, _| keys.contains(key));
            Json::Object(object).to_string().into()
        }
        Err(_) => json,
    })
}

/// A form as one JSON object of texts.
fn form(body: &[u8]) -> Body {
    let fields: Map<String, Json> = url::form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), Json::String(value.into_owned())))
        .collect();
    Json::Object(fields).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_is_refused() {
        for body in ["", "}{", "{\"a\":1", "[1,]"] {
            assert_eq!(json(&Body::from(body)).unwrap_err().message(), "Empty or invalid json");
        }
    }
}
