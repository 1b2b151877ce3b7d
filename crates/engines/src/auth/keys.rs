//! Keys: what signs tokens and what is believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use truststream_kernel::{Error, ErrorKind, Result, Secret};
use truststream_services::auth::Object;

use super::settings::{AuthSettings, KeySettings};

/// The secret that every Supabase development setup has. Never believed outside development.
pub const DEVELOPMENT_SECRET: &str = "super-secret-jwt-token-with-at-least-32-characters-long";

const DEVELOPMENT_ANON: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6ImFub24iLCJleHAiOjE5ODM4MTI5OTZ9.CRXP1A7WOeoJeXxjNni43kdQwgnWNReilDMblYTn_I0";
const DEVELOPMENT_SERVICE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJzdXBhYmFzZS1kZW1vIiwicm9sZSI6InNlcnZpY2Vfcm9sZSIsImV4cCI6MTk4MzgxMjk5Nn0.EGIM96RAZx35lJzdJsyH-qQwv8Hdp7fsn3W0YpN81IU";
/// When API keys expire (2032-11-11), so that they are the same at every start.
const API_KEYS_EXPIRE: u64 = 1_983_812_996;
const SHORTEST_SECRET: usize = 32;

/// All keys of a project. A token names or implies one of them, and only that key's own algorithm
/// is believed of it.
pub struct Keys {
    keys: Vec<Key>,
    secret: Option<String>,
    url_secret: Secret,
}

struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    verifies: DecodingKey,
    signs: Option<EncodingKey>,
    public: Option<Jwk>,
}

impl Keys {
    /// The keys that the settings name. In development the well-known secret stands in for one that
    /// is not set; anywhere else it is refused.
    ///
    /// # Errors
    /// `BACKEND_002` when no key can sign, a key can't be read, or a secret is too short.
    pub fn load(settings: &AuthSettings, development: bool) -> Result<Keys> {
        let mut keys = settings.keys.iter().map(Key::read).collect::<Result<Vec<_>>>()?;
        let secret = match settings.jwt_secret.expose() {
            "" if development => Some(DEVELOPMENT_SECRET),
            "" => None,
            DEVELOPMENT_SECRET if !development => {
                let message =
                    "auth.jwt_secret: this secret is known to everybody and good for development only";
                return Err(Error::configuration(message));
            }
            secret if secret.len() < SHORTEST_SECRET => {
                let message = format!("auth.jwt_secret: expected at least {SHORTEST_SECRET} characters");
                return Err(Error::configuration(message));
            }
            secret => Some(secret),
        };
        if let Some(secret) = secret {
            keys.push(Key::from_secret(None, secret));
        }
        if keys.iter().all(|key| key.signs.is_none()) {
            return Err(Error::configuration("auth.jwt_secret: no key can sign tokens").with_hint(
                "set auth.jwt_secret, for example to ${JWT_SECRET}, or a private key in auth.keys",
            ));
        }
        let url_secret = match (secret, keys.iter().find_map(|key| key.signs.as_ref())) {
            (Some(secret), _) => Secret::new(secret),
            (None, Some(signs)) => Secret::new(derived(signs.as_bytes())),
            (None, None) => return Err(no_key_signs()),
        };
        Ok(Keys { keys, secret: secret.map(str::to_owned), url_secret })
    }

    /// The HS256 secret, if there is one.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// The secret of tokens that are not access tokens, such as those in signed URLs: the HS256 secret,
    /// or one that follows from the key that signs.
    pub fn url_secret(&self) -> Secret {
        self.url_secret.clone()
    }

    /// The API key of a role that is no user: `anon` or `service_role`. The same at every start.
    ///
    /// # Errors
    /// When signing fails.
    pub fn api_key(&self, role: &str) -> Result<String> {
        match (self.secret(), role) {
            (Some(DEVELOPMENT_SECRET), "anon") => Ok(DEVELOPMENT_ANON.to_owned()),
            (Some(DEVELOPMENT_SECRET), "service_role") => Ok(DEVELOPMENT_SERVICE.to_owned()),
            _ => self.sign(&json!({ "iss": "truststream", "role": role, "exp": API_KEYS_EXPIRE })),
        }
    }

    /// The public keys as a JWK set; secrets are not part of it.
    pub fn public(&self) -> Json {
        json!({ "keys": self.keys.iter().filter_map(|key| key.public.as_ref()).collect::<Vec<_>>() })
    }

    /// Signs claims with the first key that can.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let signing = self.keys.iter().find_map(|key| Some((key, key.signs.as_ref()?)));
        let (key, signs) = signing.ok_or_else(|| Error::internal("no key can sign tokens"))?;
        let header = Header { kid: key.kid.clone(), ..Header::new(key.algorithm) };
        encode(&header, claims, signs)
            .map_err(|error| Error::internal("the token could not be signed").with_source(error))
    }

    /// The claims of a token whose signature holds. Nothing is said of the claims themselves.
    pub(super) fn verify(&self, token: &str) -> Result<Object> {
        if token.is_empty() {
            return Err(unverified("Empty JWT is sent in Authorization header"));
        }
        let parts = token.split('.').count();
        if parts != 3 {
            return Err(unverified(format!("Expected 3 parts in JWT; got {parts}")));
        }
        let header = decode_header(token)
            .map_err(|error| unverified("Wrong or unsupported encoding algorithm").with_source(error))?;
        let named =
            header.kid.as_deref().filter(|kid| self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)));
        let mut failure = unsuitable();
        for key in self.keys.iter().filter(|key| key.algorithm == header.alg && key.kid.as_deref() == named) {
            match decode::<Object>(token, &key.verifies, &signature_only(key.algorithm)) {
                Ok(token) => return Ok(token.claims),
                Err(error) => {
                    let told = match error.kind() {
                        JwtError::Json(_) | JwtError::Utf8(_) => unverified("Parsing claims failed"),
                        _ => unsuitable(),
                    };
                    failure = told.with_source(error);
                }
            }
        }
        Err(failure)
    }
}

impl Key {
    fn from_secret(kid: Option<String>, secret: &str) -> Self {
        Key {
            kid,
            algorithm: Algorithm::HS256,
            verifies: DecodingKey::from_secret(secret.as_bytes()),
            signs: Some(EncodingKey::from_secret(secret.as_bytes())),
            public: None,
        }
    }

    fn read(settings: &KeySettings) -> Result<Self> {
        let name = &settings.kid;
        let wrong = |what: &str| Error::configuration(format!("auth.keys: key `{name}`: {what}"));
        if settings.algorithm == "HS256" {
            let secret = settings.secret.as_ref().ok_or_else(|| wrong("an HS256 key needs a `secret`"))?;
            if secret.expose().len() < SHORTEST_SECRET {
                return Err(wrong(&format!("expected a secret of at least {SHORTEST_SECRET} characters")));
            }
            return Ok(Key::from_secret(Some(name.clone()), secret.expose()));
        }
        let unreadable = |error| wrong("expected a PEM of this algorithm").with_source(error);
        let algorithm = match &*settings.algorithm {
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            other => return Err(wrong(&format!("algorithm `{other}`; expected HS256, RS256 or ES256"))),
        };
        let is_rsa = algorithm == Algorithm::RS256;
        let private = if is_rsa { EncodingKey::from_rsa_pem } else { EncodingKey::from_ec_pem };
        let public = if is_rsa { DecodingKey::from_rsa_pem } else { DecodingKey::from_ec_pem };
        let signs = match &settings.private_key {
            Some(pem) => Some(private(pem.expose().as_bytes()).map_err(unreadable)?),
            None => None,
        };
        let mut jwk = match (&signs, &settings.public_key) {
            (Some(key), _) => Jwk::from_encoding_key(key, algorithm).map_err(unreadable)?,
            (None, Some(pem)) => {
                let key = public(pem.as_bytes()).map_err(unreadable)?;
                Jwk::from_decoding_key(&key, Some(algorithm)).map_err(unreadable)?
            }
            (None, None) => return Err(wrong("expected a `private_key` or a `public_key`")),
        };
        let verifies = DecodingKey::from_jwk(&jwk).map_err(unreadable)?;
        jwk.common.key_id = Some(name.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_algorithm =
            Some(if algorithm == Algorithm::RS256 { KeyAlgorithm::RS256 } else { KeyAlgorithm::ES256 });
        Ok(Key { kid: Some(name.clone()), algorithm, verifies, signs, public: Some(jwk) })
    }
}

fn no_key_signs() -> Error {
    Error::configuration("auth.jwt_secret: no key can sign tokens")
        .with_hint("set auth.jwt_secret, for example to ${JWT_SECRET}, or a private key in auth.keys")
}

/// A secret that follows from a private key and tells nothing of it.
fn derived(private_key: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"truststream url secret\0");
    hash.update(private_key);
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The algorithm is the key's, never the token's; claims are judged elsewhere, in PostgREST's words.
fn signature_only(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// In PostgREST's words, to which a wrong signature is one of another key.
fn unsuitable() -> Error {
    unverified("No suitable key or wrong key type")
        .with_details("None of the keys was able to decode the JWT")
}

fn unverified(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Unauthenticated, "PGRST301", message)
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
