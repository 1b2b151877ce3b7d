//! Errors in PostgREST's shape, and the HTTP status of each code
//! (<https://docs.postgrest.org/en/v14/references/errors.html>).

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::json;
use truststream_kernel::{Error, ErrorKind};

use super::raised;

/// The reply to a request that failed; `anonymous` callers are asked to authenticate where others
/// are refused.
pub fn respond(error: &Error, anonymous: bool) -> Response {
    answer(error, anonymous, None)
}

/// The same for a request of several, which tells the one that failed.
pub(crate) fn respond_of_several(error: &Error, anonymous: bool) -> Response {
    answer(error, anonymous, error.step())
}

fn answer(error: &Error, anonymous: bool, step: Option<usize>) -> Response {
    if error.code() == "PGRST" {
        return match raised::answer(error) {
            Ok(response) => response,
            Err(error) => answer(&error, anonymous, step),
        };
    }
    let status = status(error, anonymous);
    // A write that lost against another one has PostgREST's status, but is nobody's failure.
    if status.is_server_error() && error.kind() != ErrorKind::Conflict {
        tracing::warn!(?error, "a request to the data API failed");
    }
    let mut body = json!({
        "code": error.code(),
        "details": error.details(),
        "hint": error.hint(),
        "message": error.message(),
    });
    if let Some(index) = step {
        body["index"] = index.into();
    }
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Ok(value) = HeaderValue::from_str(&format!("PostgREST; error={}", error.code())) {
        headers.insert(HeaderName::from_static("proxy-status"), value);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, challenge(error));
    }
    if error.code() == "PGRST103" {
        headers.insert(header::CONTENT_RANGE, content_range(error));
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn challenge(error: &Error) -> HeaderValue {
    if !matches!(error.code(), "PGRST301" | "PGRST303") {
        return HeaderValue::from_static("Bearer");
    }
    let description = error.message().replace(['"', '\\'], "");
    let text = format!("Bearer error=\"invalid_token\", error_description=\"{description}\"");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("Bearer error=\"invalid_token\""))
}

/// `*/total`, where the details of an unsatisfiable range tell the total.
fn content_range(error: &Error) -> HeaderValue {
    let details = error.details().and_then(|details| details.as_str()).unwrap_or_default();
    let total = details.strip_suffix(" rows.").and_then(|text| text.rsplit(' ').next());
    total
        .filter(|total| total.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|total| HeaderValue::from_str(&format!("*/{total}")).ok())
        .unwrap_or(HeaderValue::from_static("*/*"))
}

fn status(error: &Error, anonymous: bool) -> StatusCode {
    let code = error.code();
    if let Some(number) = code.strip_prefix("PGRST").and_then(|number| number.parse::<u16>().ok()) {
        return pgrst_status(number);
    }
    if let Some(number) = code.strip_prefix("PT") {
        return StatusCode::from_bytes(number.as_bytes()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    match code {
        "BACKEND_016" => return StatusCode::PRECONDITION_FAILED,
        "BACKEND_017" => return StatusCode::UNPROCESSABLE_ENTITY,
        _ => {}
    }
    match sqlstate_status(code, error.message(), anonymous) {
        Some(status) => status,
        None => kind_status(error.kind()),
    }
}

fn pgrst_status(number: u16) -> StatusCode {
    match number {
        0..=2 => StatusCode::SERVICE_UNAVAILABLE,
        3 => StatusCode::GATEWAY_TIMEOUT,
        101 | 105 | 117 => StatusCode::METHOD_NOT_ALLOWED,
        103 => StatusCode::RANGE_NOT_SATISFIABLE,
        106 | 107 | 116 => StatusCode::NOT_ACCEPTABLE,
        111 | 112 | 121 | 300 => StatusCode::INTERNAL_SERVER_ERROR,
        125 | 126 | 202 | 205 => StatusCode::NOT_FOUND,
        201 | 203 => StatusCode::MULTIPLE_CHOICES,
        301..=303 => StatusCode::UNAUTHORIZED,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn sqlstate_status(code: &str, message: &str, anonymous: bool) -> Option<StatusCode> {
    if code.len() != 5 {
        return None;
    }
    Some(match code {
        "23503" | "23505" => StatusCode::CONFLICT,
        "25006" => StatusCode::METHOD_NOT_ALLOWED,
        // pg-safeupdate says it so.
        "21000" if message.ends_with("requires a WHERE clause") => StatusCode::BAD_REQUEST,
        "21000" => StatusCode::INTERNAL_SERVER_ERROR,
        "22023" if message.starts_with("role ") && message.ends_with(" does not exist") => {
            StatusCode::UNAUTHORIZED
        }
        "42883" | "42P01" => StatusCode::NOT_FOUND,
        "42P17" => StatusCode::INTERNAL_SERVER_ERROR,
        "42501" if anonymous => StatusCode::UNAUTHORIZED,
        "42501" => StatusCode::FORBIDDEN,
        "53400" => StatusCode::INTERNAL_SERVER_ERROR,
        "54000" => StatusCode::PAYLOAD_TOO_LARGE,
        "57014" => StatusCode::INTERNAL_SERVER_ERROR,
        "57P01" => StatusCode::SERVICE_UNAVAILABLE,
        "P0001" => StatusCode::BAD_REQUEST,
        _ => match &code[..2] {
            "08" | "53" => StatusCode::SERVICE_UNAVAILABLE,
            "09" | "25" | "2D" | "38" | "39" | "3B" | "40" | "55" | "57" | "58" | "F0" | "HV" | "P0"
            | "XX" => StatusCode::INTERNAL_SERVER_ERROR,
            "0L" | "0P" | "28" => StatusCode::FORBIDDEN,
            "54" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        },
    })
}

fn kind_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists => StatusCode::CONFLICT,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unavailable | ErrorKind::Fenced => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::InvalidInput | ErrorKind::Constraint | ErrorKind::Conflict | ErrorKind::Unsupported => {
            StatusCode::BAD_REQUEST
        }
        ErrorKind::Configuration | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_status_that_postgrest_gives_them() {
        for (code, anonymous, expected) in [
            ("23505", false, 409),
            ("23502", false, 400),
            ("42501", true, 401),
            ("42501", false, 403),
            ("42P01", false, 404),
            ("PGRST100", false, 400),
            ("PGRST116", false, 406),
            ("PGRST205", false, 404),
            ("PGRST201", false, 300),
            ("PT402", false, 402),
            ("22P02", false, 400),
            ("40001", false, 500),
            ("21000", false, 500),
            ("22023", false, 400),
            ("PGRST121", false, 500),
            ("BACKEND_006", false, 503),
            ("BACKEND_016", false, 412),
            ("BACKEND_017", false, 422),
            ("BACKEND_021", false, 503),
        ] {
            let kind = match code {
                "BACKEND_006" => ErrorKind::Fenced,
                "BACKEND_021" => ErrorKind::Unavailable,
                _ => ErrorKind::InvalidInput,
            };
            let error = Error::new(kind, code, "x");
            assert_eq!(status(&error, anonymous).as_u16(), expected, "{code}");
        }
    }
}
