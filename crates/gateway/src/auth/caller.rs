//! Who asks, and from where.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::auth::{Auth, Client};

use super::AuthApi;
use crate::Peer;

impl AuthApi {
    /// The service as the bearer of the request's token sees it.
    pub(super) async fn as_caller(&self, headers: &HeaderMap) -> Result<Auth> {
        self.caller(headers).await.map(|cx| self.state.services.auth.with(cx))
    }

    /// The service for requests that need no token.
    pub(super) fn as_anyone(&self) -> Auth {
        self.state.services.auth.with(self.state.identities.anonymous())
    }

    /// The service for operators only.
    pub(super) async fn as_admin(&self, headers: &HeaderMap) -> Result<Auth> {
        let cx = self.caller(headers).await?;
        if cx.identity().is_some_and(|identity| identity.role == "service_role") {
            return Ok(self.state.services.auth.with(cx));
        }
        Err(Error::new(ErrorKind::PermissionDenied, "not_admin", "User not allowed"))
    }

    /// Who asks.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Context> {
        if !headers.contains_key(header::AUTHORIZATION) && !headers.contains_key("apikey") {
            let message = "This endpoint requires a Bearer token";
            return Err(Error::new(ErrorKind::Unauthenticated, "no_authorization", message));
        }
        self.state.identities.context(headers).await.map_err(|error| match error.kind() {
            ErrorKind::Unauthenticated | ErrorKind::PermissionDenied => {
                let message =
                    format!("invalid JWT: unable to parse or verify signature, {}", error.message());
                Error::new(ErrorKind::PermissionDenied, "bad_jwt", message).with_source(error)
            }
            _ => error,
        })
    }

    /// The address that limits count by.
    pub(super) fn address(&self, request: &Parts) -> IpAddr {
        let forwarded = self.state.settings.gateway.trust_forwarded_for;
        forwarded
            .then(|| nearest(&request.headers))
            .flatten()
            .or_else(|| request.extensions.get::<Peer>().map(|peer| peer.0.ip()))
            .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// What is kept of whoever opens a session.
    pub(super) fn client(&self, request: &Parts) -> Client {
        let agent = request.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Client {
            address: Some(self.address(request).to_string()),
            user_agent: agent.map(|agent| agent.chars().take(512).collect()),
        }
    }
}

/// The last address of `X-Forwarded-For`: the one our own proxy saw. Those before it are the
/// client's to invent.
fn nearest(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_nearest_forwarder_is_believed() {
        let mut headers = HeaderMap::new();
        assert_eq!(nearest(&headers), None);
        headers.append("x-forwarded-for", "1.1.1.1".parse().unwrap());
        headers.append("x-forwarded-for", "2.2.2.2, 192.0.2.7".parse().unwrap());
        assert_eq!(nearest(&headers), Some("192.0.2.7".parse().unwrap()));
    }
}
