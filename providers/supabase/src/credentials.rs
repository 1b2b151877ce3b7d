//! Telling the project who calls.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value as Json};
use truststream_kernel::{Caller, Context, Error, ErrorKind, Identity, Result, Secret};

use crate::Config;
use crate::tokens::{Tokens, now};

/// Claims that say nothing of who calls: keys and tokens of the same caller differ in them.
const FORMAL: &[&str] = &["aud", "exp", "iat", "iss", "nbf", "ref", "role"];
/// How long a token lasts that is made for one request (seconds).
const MOMENT: u64 = 60;

/// The keys of a project.
pub(crate) struct Credentials {
    service_key: Secret,
    anon_key: Option<Secret>,
    signing: Option<EncodingKey>,
    tokens: Arc<Tokens>,
}

impl Credentials {
    pub(crate) fn new(config: &Config) -> Self {
        let secret = config.jwt_secret.as_ref();
        Credentials {
            service_key: config.service_key.clone(),
            anon_key: config.anon_key.clone(),
            signing: secret.map(|secret| EncodingKey::from_secret(secret.expose().as_bytes())),
            tokens: Tokens::of(&config.url),
        }
    }

    /// What goes into the header `apikey`: it lets a request through, `Authorization` says whose it is.
    pub(crate) fn api_key(&self) -> &str {
        self.anon_key.as_ref().unwrap_or(&self.service_key).expose()
    }

    /// Whose key a text is, if it is one of the project's.
    pub(crate) fn role_of_key(&self, text: &str) -> Option<&'static str> {
        let same = |key: &Secret| key.expose() == text;
        if same(&self.service_key) {
            return Some("service_role");
        }
        self.anon_key.as_ref().is_some_and(same).then_some("anon")
    }

    /// The tokens that were verified.
    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The key of the service role.
    pub(crate) fn service_key(&self) -> &str {
        self.service_key.expose()
    }

    /// A token by which the project knows the caller exactly as TrustStream does.
    ///
    /// # Errors
    /// `Unsupported` where there is none: the project's policies must not judge somebody else.
    pub(crate) fn bearer(&self, cx: &Context) -> Result<String> {
        let Caller::Role(identity) = &cx.caller else { return Ok(self.service_key.expose().to_owned()) };
        if identity.role == "service_role" && is_formal(&identity.claims) {
            return Ok(self.service_key.expose().to_owned());
        }
        if identity.role == "anon"
            && is_formal(&identity.claims)
            && let Some(key) = &self.anon_key
        {
            return Ok(key.expose().to_owned());
        }
        if let Some(token) = self.tokens.token(identity) {
            return Ok(token);
        }
        match &self.signing {
            Some(key) => sign(key, identity),
            None => Err(unknown_to_project(identity)),
        }
    }
}

fn is_formal(claims: &Map<String, Json>) -> bool {
    claims.keys().all(|claim| FORMAL.contains(&claim.as_str()))
}

fn sign(key: &EncodingKey, identity: &Identity) -> Result<String> {
    let mut claims = identity.claims.clone();
    claims.insert("role".to_owned(), Json::from(identity.role.as_str()));
    // What TrustStream has verified is not to be refused for its age on the way.
    let expires = claims.get("exp").and_then(Json::as_u64).unwrap_or(0);
    claims.insert("exp".to_owned(), Json::from(expires.max(now() + MOMENT)));
    encode(&Header::new(Algorithm::HS256), &claims, key)
        .map_err(|error| Error::internal("a token for the project could not be signed").with_source(error))
}

fn unknown_to_project(identity: &Identity) -> Error {
    let message = format!("the remote project can't be told that the caller is `{}`", identity.role);
    Error::new(ErrorKind::Unsupported, "0A000", message).with_hint(
        "callers need a token of the project's own, or TrustStream the project's `jwt_secret` \
         (and `anon_key` for those without a token)",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(claims: &Json) -> Identity {
        Identity::new("authenticated", claims.as_object().unwrap().clone())
    }

    #[test]
    fn keys_are_for_roles_that_are_nobody() {
        let credentials =
            Credentials::new(&Config { anon_key: Some("anonymous".into()), ..Config::new("u", "service") });
        assert_eq!(credentials.bearer(&Context::system()).unwrap(), "service");
        assert_eq!(credentials.bearer(&Context::role("service_role")).unwrap(), "service");
        assert_eq!(credentials.bearer(&Context::role("anon")).unwrap(), "anonymous");
        assert_eq!(credentials.api_key(), "anonymous");
    }

    #[test]
    fn a_callers_own_token_is_passed_on_and_nobody_elses() {
        let credentials = Credentials::new(&Config::new("https://own", "service"));
        let ada = identity(&json!({ "sub": "ada", "exp": 9 }));
        credentials.tokens().remember(&ada, "token of ada");
        // The project's other services know it too.
        let beside = Credentials::new(&Config::new("https://own", "service"));
        assert_eq!(beside.bearer(&Context::of(ada.clone())).unwrap(), "token of ada");
        let eve = identity(&json!({ "sub": "eve", "exp": 9 }));
        assert_eq!(beside.bearer(&Context::of(eve)).unwrap_err().code(), "0A000");
        let elsewhere = Credentials::new(&Config::new("https://other", "service"));
        assert!(elsewhere.bearer(&Context::of(ada)).is_err());
        let error = elsewhere.bearer(&Context::role("anon")).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Unsupported, "0A000"));
    }

    #[test]
    fn with_the_projects_secret_any_caller_can_be_told() {
        let secret = "a-secret-of-at-least-thirty-two-characters";
        let config = Config { jwt_secret: Some(secret.into()), ..Config::new("u", "service") };
        let caller = identity(&json!({ "sub": "ada", "exp": 5, "app_metadata": { "team": 7 } }));
        let token = Credentials::new(&config).bearer(&Context::of(caller)).unwrap();
        let key = jsonwebtoken::DecodingKey::from_secret(secret.as_bytes());
        let rules = jsonwebtoken::Validation::new(Algorithm::HS256);
        let claims = jsonwebtoken::decode::<Map<String, Json>>(&token, &key, &rules).unwrap().claims;
        assert_eq!(claims["role"], "authenticated");
        assert_eq!((&claims["sub"], &claims["app_metadata"]["team"]), (&json!("ada"), &json!(7)));
    }
}
