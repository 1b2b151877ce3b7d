//! Cross-origin requests, as Supabase's gateway answers them: any origin, no cookies.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT");
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, \
     Transfer-Encoding, Range-Unit, Preference-Applied, Link, X-Total-Count, X-Supabase-Api-Version, \
     x-sb-error-code, ETag, Content-Length",
);

/// Answers preflights and lets pages of other origins read replies.
pub async fn allow(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let preflight =
        request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if preflight {
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        return answer_preflight(asked);
    }
    let mut response = next.run(request).await;
    insert_origin(response.headers_mut());
    response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

fn answer_preflight(asked: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    insert_origin(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    let allowed =
        asked.unwrap_or(HeaderValue::from_static("Authorization, Content-Type, apikey, x-client-info"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn insert_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}
