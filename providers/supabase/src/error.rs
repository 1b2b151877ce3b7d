//! The project's errors as TrustStream's.

use reqwest::StatusCode;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Error, ErrorKind, Outcome};

use crate::client::Reply;

/// The connection broke, or there was none.
pub(crate) fn lost(error: reqwest::Error, outcome: Outcome) -> Error {
    // The URL in the error's text has what was asked for.
    let error = error.without_url();
    let message =
        if error.is_connect() { "the remote project can't be reached" } else { "the connection was lost" };
    Error::unavailable(message).with_outcome(outcome).with_source(error)
}

/// A reply that is not what it should be.
pub(crate) fn malformed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("the remote project's reply could not be understood").with_source(error)
}

/// What a data API says when it refuses: code, details and hint are PostgREST's.
pub(crate) fn of_data_api(reply: &Reply, writes: bool) -> Error {
    let Some(body) = object(reply) else { return of_status(reply, writes) };
    let (Some(code), Some(message)) = (text(&body, "code"), text(&body, "message")) else {
        return of_status(reply, writes);
    };
    let mut error = Error::new(ErrorKind::of_code(code), code.to_owned(), message.to_owned());
    if let Some(details) = body.get("details").filter(|details| !details.is_null()) {
        error = error.with_details(details.clone());
    }
    if let Some(hint) = text(&body, "hint") {
        error = error.with_hint(hint.to_owned());
    }
    error
}

/// What the auth API says: `error_code` and `msg`, or OAuth's `error` and `error_description`.
pub(crate) fn of_auth_api(reply: &Reply, writes: bool) -> Error {
    let Some(body) = object(reply) else { return of_status(reply, writes) };
    let code = text(&body, "error_code").or_else(|| text(&body, "code")).or_else(|| text(&body, "error"));
    let message = ["msg", "message", "error_description", "error"].iter().find_map(|key| text(&body, key));
    let (Some(code), Some(message)) = (code, message) else { return of_status(reply, writes) };
    let error = Error::new(auth_kind(reply.status, code), code.to_owned(), message.to_owned());
    match body.get("weak_password") {
        Some(weak) if !weak.is_null() => error.with_details(weak.clone()),
        _ => error,
    }
}

/// What the storage API says: `error` (or `code`) and `message`.
pub(crate) fn of_storage_api(reply: &Reply, writes: bool) -> Error {
    let Some(body) = object(reply) else { return of_status(reply, writes) };
    let told = text(&body, "statusCode").and_then(|status| status.parse::<u16>().ok());
    let told = told.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(reply.status);
    let code = text(&body, "code").or_else(|| text(&body, "error"));
    let (Some(code), Some(message)) = (code, text(&body, "message")) else {
        return of_status(reply, writes);
    };
    Error::new(kind_of_status(told), code.to_owned(), message.to_owned())
}

/// An answer that is nobody's: a proxy's, or a crash's.
fn of_status(reply: &Reply, writes: bool) -> Error {
    let kind = kind_of_status(reply.status);
    let message = format!("the remote project answered with status {}", reply.status.as_u16());
    match kind {
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Internal => {
            let outcome = if writes { Outcome::Unknown } else { Outcome::NotApplied };
            Error::unavailable(message).with_outcome(outcome)
        }
        kind => Error::new(kind, "XX000", message),
    }
}

fn auth_kind(status: StatusCode, code: &str) -> ErrorKind {
    match (status.as_u16(), code) {
        (422, "user_already_exists" | "email_exists" | "phone_exists") => ErrorKind::AlreadyExists,
        (422, _) => ErrorKind::Constraint,
        _ => kind_of_status(status),
    }
}

fn kind_of_status(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        408 | 504 => ErrorKind::Timeout,
        409 => ErrorKind::AlreadyExists,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        502 | 503 | 520..=530 => ErrorKind::Unavailable,
        500.. => ErrorKind::Internal,
        _ => ErrorKind::InvalidInput,
    }
}

fn object(reply: &Reply) -> Option<Map<String, Json>> {
    serde_json::from_slice(&reply.body).ok()
}

fn text<'b>(body: &'b Map<String, Json>, key: &str) -> Option<&'b str> {
    body.get(key)?.as_str()
}
