//! Replies of the operator's API.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json as object;
use truststream_kernel::{Error, ErrorKind};

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// An error with the status that its kind suggests.
pub(super) fn error(error: &Error) -> Response {
    let status = match error.kind() {
        ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::Configuration => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Fenced => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    failure(status, error)
}

pub(super) fn failure(status: StatusCode, error: &Error) -> Response {
    let body = object!({
        "code": error.code(),
        "message": error.message(),
        "details": error.details(),
        "hint": error.hint(),
    });
    json(status, &body)
}
