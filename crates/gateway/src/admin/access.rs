//! Who may use the operator's API.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use subtle::ConstantTimeEq;
use truststream_kernel::{Error, ErrorKind};

use super::Admin;
use super::reply::failure;

pub(super) async fn check(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !names_loopback(headers) {
        let error = Error::permission_denied("the admin API answers on loopback names only");
        return failure(StatusCode::FORBIDDEN, &error);
    }
    let given =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let expected = admin.token.expose().as_bytes();
    if given.is_some_and(|given| bool::from(given.ct_eq(expected))) {
        return next.run(request).await;
    }
    let error = Error::new(ErrorKind::Unauthenticated, "BACKEND_012", "the admin token is missing or wrong")
        .with_hint("the token of a running gateway is in .truststream/gateway.json of its project");
    failure(StatusCode::UNAUTHORIZED, &error)
}

/// Whether a request names a loopback host: no page in a browser reaches it by a rebound name.
pub(crate) fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        let host = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, name.parse().unwrap());
            names_loopback(&headers)
        };
        assert!(host("127.0.0.1:54321") && host("localhost") && host("[::1]:80"));
        assert!(
            !host("evil.example:54321")
                && !host("127.0.0.1.evil.example")
                && !names_loopback(&HeaderMap::new())
        );
    }
}
