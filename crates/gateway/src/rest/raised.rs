//! Errors that a database function makes up whole: `raise sqlstate 'PGRST'` with a JSON message (code,
//! message, details, hint) and a JSON detail (status, headers).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind, Result};

#[derive(Deserialize)]
struct Message {
    code: String,
    message: String,
    details: Option<String>,
    hint: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    status: u16,
    headers: BTreeMap<String, String>,
}

/// The reply that such an error asks for.
///
/// # Errors
/// PGRST121 when its JSON can't be read.
pub(super) fn answer(error: &Error) -> Result<Response> {
    let wrong = |details: String, hint: &'static str| {
        let message = "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error";
        Error::new(ErrorKind::InvalidInput, "PGRST121", message).with_details(details).with_hint(hint)
    };
    let message: Message = serde_json::from_str(error.message()).map_err(|_| {
        let details = format!("Invalid JSON value for MESSAGE: '{}'", error.message());
        wrong(details, "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.")
    })?;
    let hint = "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
    let text = error
        .details()
        .and_then(Json::as_str)
        .ok_or_else(|| wrong("DETAIL is missing in the RAISE statement".to_owned(), hint))?;
    let detail: Detail = serde_json::from_str(text)
        .map_err(|_| wrong(format!("Invalid JSON value for DETAIL: '{text}'"), hint))?;
    let status = StatusCode::from_u16(detail.status)
        .map_err(|_| wrong(format!("Invalid JSON value for DETAIL: '{text}'"), hint))?;
    let body = json!({
        "code": &message.code,
        "details": message.details,
        "hint": message.hint,
        "message": message.message,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    if let Ok(status) = HeaderValue::from_str(&format!("PostgREST; error={}", message.code)) {
        response.headers_mut().insert(HeaderName::from_static("proxy-status"), status);
    }
    for (name, value) in &detail.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
