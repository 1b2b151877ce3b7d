//! Cross-origin requests: any origin, no cookies, as Supabase's gateway has it; the preflight is
//! PostgREST's.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
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
        return answer_preflight(headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS));
    }
    let mut response = next.run(request).await;
    insert_origin(response.headers_mut());
    response.headers_mut().insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

fn answer_preflight(asked: Option<&HeaderValue>) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    insert_origin(headers);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed(asked));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// Whatever headers a page asks for, and those that it need not ask for.
fn allowed(asked: Option<&HeaderValue>) -> HeaderValue {
    let asked = asked.and_then(|asked| asked.to_str().ok()).unwrap_or_default();
    let names = asked.split(',').map(str::trim).filter(|name| !name.is_empty());
    let always = ["Accept", "Accept-Language", "Content-Language"];
    let names: Vec<_> = std::iter::once("Authorization").chain(names).chain(always).collect();
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static("Authorization"))
}

fn insert_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_allows_what_is_asked_for() {
        let asked = HeaderValue::from_static("apikey,x-client-info");
        let response = answer_preflight(Some(&asked));
        assert_eq!(
            response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS],
            "Authorization, apikey, x-client-info, Accept, Accept-Language, Content-Language"
        );
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
}
