//! What a token says, and whether it holds now.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use truststream_kernel::{Error, ErrorKind, Identity, Result};
use truststream_services::auth::{Object, User};

use super::settings::AuthSettings;

/// Clocks of two machines may be so far apart, as PostgREST has it.
const LEEWAY: f64 = 30.0;
const ROLES: &[&str] = &["anon", "authenticated", "service_role"];

/// The claims of a new access token.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    pub(super) iss: &'a str,
    pub(super) sub: &'a str,
    pub(super) aud: &'a str,
    pub(super) exp: u64,
    pub(super) iat: u64,
    pub(super) email: &'a str,
    pub(super) phone: &'a str,
    pub(super) app_metadata: &'a Object,
    pub(super) user_metadata: &'a Object,
    pub(super) role: &'a str,
    pub(super) aal: &'a str,
    pub(super) amr: &'a [Method],
    pub(super) session_id: &'a str,
    pub(super) is_anonymous: bool,
}

impl<'a> Claims<'a> {
    pub(super) fn of(
        user: &'a User,
        session: &'a str,
        amr: &'a [Method],
        settings: &'a AuthSettings,
        now: u64,
    ) -> Self {
        Claims {
            iss: &settings.jwt_issuer,
            sub: &user.id,
            aud: &user.aud,
            exp: now + settings.jwt_expiry,
            iat: now,
            email: &user.email,
            phone: &user.phone,
            app_metadata: &user.app_metadata,
            user_metadata: &user.user_metadata,
            role: &user.role,
            aal: level(amr),
            amr,
            session_id: session,
            is_anonymous: user.is_anonymous,
        }
    }
}

/// How, and when in seconds since 1970, a session was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Method {
    pub(super) method: String,
    pub(super) timestamp: u64,
}

/// The level that a session has by the ways in which its user proved itself.
fn level(methods: &[Method]) -> &'static str {
    let is_second = |method: &Method| matches!(&*method.method, "totp" | "mfa/phone" | "mfa/webauthn");
    if methods.iter().any(is_second) { "aal2" } else { "aal1" }
}

/// The identity that verified claims give, if they hold now and here.
pub(super) fn identity(claims: Object, settings: &AuthSettings, now: u64) -> Result<Identity> {
    // Seconds of this century are exact in a float.
    #[allow(clippy::cast_precision_loss)]
    let now = now as f64;
    if time(&claims, "exp")?.is_some_and(|exp| now > exp + LEEWAY) {
        return Err(does_not_hold("JWT expired"));
    }
    if time(&claims, "nbf")?.is_some_and(|nbf| now < nbf - LEEWAY) {
        return Err(does_not_hold("JWT not yet valid"));
    }
    if time(&claims, "iat")?.is_some_and(|iat| now < iat - LEEWAY) {
        return Err(does_not_hold("JWT issued at future"));
    }
    if !is_audience(claims.get("aud")) {
        return Err(does_not_hold("The JWT 'aud' claim must be a string or an array of strings"));
    }
    if !is_for(claims.get("aud"), &settings.jwt_audience) {
        return Err(does_not_hold("JWT not in audience"));
    }
    let trusted = &settings.trusted_issuers;
    let issuer = claims.get("iss").and_then(Json::as_str).unwrap_or_default();
    if !trusted.is_empty() && !trusted.iter().any(|one| one == issuer) {
        return Err(does_not_hold("JWT not from a trusted issuer"));
    }
    let role = match claims.get("role") {
        None | Some(Json::Null) => settings.default_role.clone(),
        Some(Json::String(role)) => role.clone(),
        Some(_) => return Err(does_not_hold("The JWT 'role' claim must be a string")),
    };
    if role != settings.default_role && !ROLES.contains(&&*role) && !settings.roles.contains(&role) {
        return Err(Error::permission_denied(format!("permission denied to set role \"{role}\"")));
    }
    Ok(Identity::new(role, claims))
}

fn time(claims: &Object, name: &str) -> Result<Option<f64>> {
    match claims.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => value
            .as_f64()
            .map(Some)
            .ok_or_else(|| does_not_hold(format!("The JWT '{name}' claim must be a number"))),
    }
}

fn is_audience(aud: Option<&Json>) -> bool {
    match aud {
        None | Some(Json::Null | Json::String(_)) => true,
        Some(Json::Array(several)) => several.iter().all(Json::is_string),
        Some(_) => false,
    }
}

/// Whether a token is for us; without an audience of our own it is, whomever it names.
fn is_for(aud: Option<&Json>, audience: &str) -> bool {
    let ours = |name: &str| audience.is_empty() || name == audience;
    match aud {
        None | Some(Json::Null) => true,
        Some(Json::String(one)) => ours(one),
        Some(Json::Array(several)) => several.is_empty() || several.iter().filter_map(Json::as_str).any(ours),
        Some(_) => false,
    }
}

fn does_not_hold(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unauthenticated, "PGRST303", message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn judge(claims: Json) -> Result<Identity> {
        let Json::Object(claims) = claims else { panic!("claims are an object") };
        identity(claims, &AuthSettings::default(), NOW)
    }

    #[test]
    fn no_role_is_anon() {
        assert_eq!(judge(json!({})).unwrap().role, "anon");
        let identity = judge(json!({ "role": "authenticated", "sub": "x", "exp": NOW + 1 })).unwrap();
        assert_eq!((identity.role.as_str(), identity.subject()), ("authenticated", Some("x")));
    }

    #[test]
    fn claims_that_do_not_hold() {
        for (claims, code, message) in [
            (json!({ "exp": NOW - 31 }), "PGRST303", "JWT expired"),
            (json!({ "nbf": NOW + 31 }), "PGRST303", "JWT not yet valid"),
            (json!({ "iat": NOW + 31 }), "PGRST303", "JWT issued at future"),
            (json!({ "exp": "tomorrow" }), "PGRST303", "The JWT 'exp' claim must be a number"),
            (json!({ "aud": "somebody else" }), "PGRST303", "JWT not in audience"),
            (json!({ "aud": ["a", "b"] }), "PGRST303", "JWT not in audience"),
            (json!({ "aud": 1 }), "PGRST303", "The JWT 'aud' claim must be a string or an array of strings"),
            (
                json!({ "aud": ["authenticated", {}] }),
                "PGRST303",
                "The JWT 'aud' claim must be a string or an array of strings",
            ),
            (json!({ "role": ["service_role"] }), "PGRST303", "The JWT 'role' claim must be a string"),
            (json!({ "role": "postgres" }), "42501", "permission denied to set role \"postgres\""),
        ] {
            let error = judge(claims).unwrap_err();
            assert_eq!((error.code(), error.message()), (code, message));
        }
        judge(json!({ "exp": NOW - 29, "nbf": NOW + 29, "aud": ["authenticated", "b"] })).unwrap();
    }

    #[test]
    fn only_trusted_issuers_where_some_are_named() {
        let settings = AuthSettings { trusted_issuers: vec!["me".to_owned()], ..AuthSettings::default() };
        let claims = |iss: &str| Object::from_iter([("iss".to_owned(), json!(iss))]);
        identity(claims("me"), &settings, NOW).unwrap();
        identity(claims("you"), &settings, NOW).unwrap_err();
        identity(Object::new(), &settings, NOW).unwrap_err();
    }
}
