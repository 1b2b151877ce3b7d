//! Who the bearer of a token is.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind as Fault;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json};
use truststream_kernel::{Error, ErrorKind, Identity, Result};

use super::RemoteAuth;
use crate::client::send;
use crate::error::of_auth_api;

/// Roles of callers; a token for any other one is refused.
const ROLES: &[&str] = &["anon", "authenticated", "service_role"];

impl RemoteAuth {
    /// Verifies a token: one of the project's keys, one signed with its secret or one of its public
    /// keys, or one that it knows.
    pub(super) async fn verify(&self, token: &str) -> Result<Identity> {
        let credentials = self.client.credentials();
        let key_of = credentials.role_of_key(token);
        let claims = match key_of {
            // Keys need not be tokens: newer ones have no claims.
            Some(role) => {
                let mut claims = payload(token).unwrap_or_default();
                claims.insert("role".to_owned(), Json::from(role));
                claims
            }
            None => self.claims(token).await?,
        };
        let role = claims.get("role").and_then(Json::as_str).unwrap_or("anon").to_owned();
        if !ROLES.contains(&role.as_str()) {
            return Err(Error::permission_denied(format!("permission denied to set role \"{role}\"")));
        }
        let identity = Identity::new(role, claims);
        if key_of.is_none() {
            credentials.tokens().remember(&identity, token);
        }
        Ok(identity)
    }

    async fn claims(&self, token: &str) -> Result<Map<String, Json>> {
        let parts = token.split('.').count();
        if parts != 3 {
            return Err(unverified(format!("Expected 3 parts in JWT; got {parts}")));
        }
        let header = decode_header(token)
            .map_err(|error| unverified("Wrong or unsupported encoding algorithm").with_source(error))?;
        match (header.alg, &self.secret) {
            (Algorithm::HS256, Some(secret)) => signed(token, Algorithm::HS256, secret),
            (Algorithm::HS256, None) => self.known(token).await,
            // The algorithm is the key's, never the token's.
            (named, _) => {
                let kid = header.kid.ok_or_else(unsuitable)?;
                let key = self.keys.named(&self.client, &kid).await?.ok_or_else(unsuitable)?;
                if key.algorithm != named {
                    return Err(unsuitable());
                }
                signed(token, key.algorithm, &key.verifies)
            }
        }
    }

    /// Asks the project for the token's user: only it can verify a token whose secret is not known.
    async fn known(&self, token: &str) -> Result<Map<String, Json>> {
        let claims = payload(token).ok_or_else(|| unverified("the token is malformed"))?;
        let request = self.client.with_bearer(token, Method::GET, &["auth", "v1", "user"])?;
        let reply = send(request, false).await?;
        match reply.status {
            StatusCode::OK => Ok(claims),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(unverified("JWT could not be verified"))
            }
            _ => Err(of_auth_api(&reply, false)),
        }
    }
}

fn signed(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Map<String, Json>> {
    let mut rules = Validation::new(algorithm);
    rules.validate_aud = false;
    rules.validate_nbf = true;
    rules.required_spec_claims.clear();
    let decoded = decode::<Map<String, Json>>(token, key, &rules);
    decoded.map(|token| token.claims).map_err(|error| match error.kind() {
        Fault::ExpiredSignature => unheld("JWT expired"),
        Fault::ImmatureSignature => unheld("JWT not yet valid"),
        Fault::Json(_) | Fault::Utf8(_) => unverified("Parsing claims failed").with_source(error),
        _ => unsuitable().with_source(error),
    })
}

/// The claims of a token, of which nothing is verified.
fn payload(token: &str) -> Option<Map<String, Json>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn unsuitable() -> Error {
    unverified("No suitable key or wrong key type")
        .with_details("None of the keys was able to decode the JWT")
}

fn unverified(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unauthenticated, "PGRST301", message)
}

fn unheld(message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, "PGRST303", message)
}
