//! Errors in Supabase Storage's shape: the status is in the body, the HTTP status is 400 for
//! nearly all of them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind};

use super::reply;

/// The code of a path that nobody serves; such a request never reached storage.
pub(super) const NO_ROUTE: &str = "NotFound";

/// The reply to a request that failed.
pub(super) fn respond(error: &Error) -> Response {
    let (status, name) = describe(error);
    let http = match status {
        429 | 503 => StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
        500.. => StatusCode::INTERNAL_SERVER_ERROR,
        _ if error.code() == NO_ROUTE => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    if status >= 500 {
        tracing::warn!(?error, "a request to storage failed");
    }
    let message = if status == 500 { "Internal Server Error" } else { error.message() };
    let code = match error.code() {
        "PGRST301" | "PGRST303" => "InvalidJWT",
        "42501" => "AccessDenied",
        code => code,
    };
    let body = json!({ "statusCode": status.to_string(), "code": code, "error": name, "message": message });
    let mut response = reply(http, &body);
    if http == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The status in the body and the error's name.
fn describe(error: &Error) -> (u16, &'static str) {
    match error.code() {
        "NoSuchKey" => (404, "not_found"),
        "NoSuchBucket" => (404, "Bucket not found"),
        NO_ROUTE => (404, "not_found"),
        "KeyAlreadyExists" | "BucketAlreadyExists" => (409, "Duplicate"),
        "InvalidRequest" if error.kind() == ErrorKind::Conflict => (409, "InvalidRequest"),
        "AccessDenied" | "42501" => (403, "Unauthorized"),
        "EntityTooLarge" | "54000" => (413, "Payload too large"),
        "InvalidMimeType" => (415, "invalid_mime_type"),
        "InvalidKey" => (400, "InvalidKey"),
        "InvalidBucketName" => (400, "Invalid Input"),
        "InvalidJWT" => (400, "InvalidJWT"),
        "PGRST301" | "PGRST303" => (403, "Unauthorized"),
        "InvalidRange" => (416, "invalid_range"),
        "SlowDown" => (429, "slow_down"),
        _ => match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::Unsupported => (400, "Invalid Input"),
            ErrorKind::NotFound => (404, "not_found"),
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => (403, "Unauthorized"),
            ErrorKind::AlreadyExists | ErrorKind::Conflict => (409, "Duplicate"),
            ErrorKind::TooLarge => (413, "Payload too large"),
            ErrorKind::RateLimited => (429, "slow_down"),
            ErrorKind::Unavailable | ErrorKind::Fenced | ErrorKind::Timeout => (503, "unavailable"),
            _ => (500, "internal"),
        },
    }
}
