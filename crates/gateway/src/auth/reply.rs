//! Replies of the auth API: JSON, and errors in the format that the caller's version asks for.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind};

const VERSION: HeaderName = HeaderName::from_static("x-supabase-api-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-sb-error-code");
/// The version that changed the format of errors, and the latest.
const LATEST: &str = "2024-01-01";

/// A reply, or why there is none.
pub(super) type Reply = Result<Response, Refusal>;

/// An error on its way to the caller. The caller's version decides its format, so it becomes a body
/// in [`errors`].
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: Arc<Error>,
    /// The `error` of RFC 6749, for requests that are answered as that says.
    oauth: Option<&'static str>,
}

impl Refusal {
    pub(super) fn with_status(status: StatusCode, error: Error) -> Self {
        Refusal { status, error: Arc::new(error), oauth: None }
    }

    /// An error in the format of RFC 6749.
    pub(super) fn oauth(name: &'static str, description: &'static str) -> Self {
        let error = Error::new(ErrorKind::InvalidInput, "validation_failed", description);
        Refusal { oauth: Some(name), ..Refusal::from(error) }
    }

    fn body(&self, latest: bool) -> (String, Json) {
        if let Some(name) = self.oauth {
            let mut body = json!({ "error": name });
            if !self.error.message().is_empty() {
                body["error_description"] = json!(self.error.message());
            }
            return (name.to_owned(), body);
        }
        let (code, message) = words(&self.error);
        let mut body = if latest {
            json!({ "code": code, "message": message })
        } else {
            json!({ "code": self.status.as_u16(), "error_code": code, "msg": message })
        };
        if code == "weak_password"
            && let Some(details) = self.error.details()
        {
            body["weak_password"] = details.clone();
        }
        (code, body)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::AlreadyExists | ErrorKind::Constraint | ErrorKind::Unsupported => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Unavailable | ErrorKind::Fenced => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Configuration | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::with_status(status, error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Code and sentence. What a database says of itself stays in the log.
fn words(error: &Error) -> (String, String) {
    if error.code().starts_with(|c: char| c.is_ascii_lowercase()) {
        return (error.code().to_owned(), error.message().to_owned());
    }
    let (code, message) = match error.kind() {
        ErrorKind::InvalidInput => ("validation_failed", "The request holds a value that can't be kept"),
        ErrorKind::TooLarge => ("validation_failed", "The request is too large"),
        ErrorKind::Unsupported => ("feature_disabled", error.message()),
        ErrorKind::Conflict => ("conflict", "Somebody else changed the same at the same time; try again"),
        ErrorKind::RateLimited => ("over_request_rate_limit", "Request rate limit reached"),
        ErrorKind::Timeout => {
            ("request_timeout", "Processing this request timed out, please retry after a moment.")
        }
        _ => ("unexpected_failure", "Unexpected failure, please check server logs for more information"),
    };
    (code.to_owned(), message.to_owned())
}

/// Gives errors their body, in the format of the version that the request names.
pub(super) async fn errors(request: Request, next: Next) -> Response {
    let latest = asks_for_latest(request.headers());
    let mut response = next.run(request).await;
    if latest {
        response.headers_mut().insert(VERSION, HeaderValue::from_static(LATEST));
    }
    let Some(refusal) = response.extensions_mut().remove::<Refusal>() else { return response };
    if refusal.status.is_server_error() {
        tracing::error!(error = ?refusal.error, "an auth request failed");
    }
    let (code, body) = refusal.body(latest);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(code) = HeaderValue::try_from(code) {
        headers.insert(ERROR_CODE, code);
    }
    *response.body_mut() = Body::from(body.to_string());
    response
}

/// Whether the request names a version (a date) that has the new format.
fn asks_for_latest(headers: &HeaderMap) -> bool {
    let version = headers.get(VERSION).and_then(|version| version.to_str().ok()).unwrap_or_default();
    let is_date = version.len() == LATEST.len()
        && version.bytes().zip(LATEST.bytes()).all(|(given, pattern)| match pattern {
            b'-' => given == b'-',
            _ => given.is_ascii_digit(),
        });
    is_date && version >= LATEST
}

/// A JSON reply.
pub(super) fn json_reply(value: &impl Serialize) -> Reply {
    let body = serde_json::to_vec(value)
        .map_err(|error| Error::internal("the reply could not be written").with_source(error))?;
    let content_type = HeaderValue::from_static("application/json");
    Ok(([(header::CONTENT_TYPE, content_type)], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_dates() {
        let asks = |version: &'static str| {
            asks_for_latest(&HeaderMap::from_iter([(VERSION, HeaderValue::from_static(version))]))
        };
        assert!(asks("2024-01-01") && asks("2025-06-30"));
        assert!(!asks("2023-12-31") && !asks("latest") && !asks("") && !asks("2024-01-01x"));
    }

    #[test]
    fn what_a_database_says_is_not_shown() {
        let error = Error::internal("column encrypted_password of relation auth.users does not exist");
        let (_, body) = Refusal::from(error).body(false);
        assert_eq!(body["code"], 500);
        assert_eq!(body["error_code"], "unexpected_failure");
        assert!(!body.to_string().contains("encrypted_password"));
    }
}
