//! Who is calling, from the headers of a request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};
use parking_lot::RwLock;
use truststream_kernel::{Caller, Context, Error, ErrorKind, Identity, Result, Secret};
use truststream_services::auth::{Auth, Authenticate};

/// Verified tokens that are remembered until they expire.
const REMEMBERED: usize = 10_000;

/// Keys in the form `sb_publishable_…` and `sb_secret_…`, and the tokens they stand for.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys {
    /// Stands for no token.
    pub publishable: Option<Secret>,
    /// Stands for the service role's token.
    pub secret: Option<Secret>,
    /// The service role's token.
    pub service_role: Option<Secret>,
}

/// Finds out who is calling.
pub struct Identities {
    auth: Auth,
    anonymous: Arc<Identity>,
    keys: ApiKeys,
    verified: RwLock<HashMap<String, Remembered>>,
}

struct Remembered {
    identity: Arc<Identity>,
    expires: u64,
}

impl Identities {
    /// Callers by the tokens of `auth`; those without a token have `anon_role`, or are not let in if
    /// it is empty.
    pub fn new(auth: Auth, anon_role: &str, keys: ApiKeys) -> Self {
        let anonymous = Arc::new(Identity::new(anon_role, serde_json::Map::new()));
        Identities { auth, anonymous, keys, verified: RwLock::default() }
    }

    /// The context of a request.
    ///
    /// # Errors
    /// PGRST301 for a token that can't be verified, PGRST303 for one whose claims don't hold, PGRST302
    /// for none where anonymous callers are not let in.
    pub async fn context(&self, headers: &HeaderMap) -> Result<Context> {
        match self.token(headers)? {
            None if self.anonymous.role.is_empty() => {
                Err(unauthenticated("PGRST302", "Anonymous access is disabled"))
            }
            None => Ok(self.anonymous()),
            Some(token) => self.of_token(&token).await,
        }
    }

    /// The context of a caller without a token.
    pub fn anonymous(&self) -> Context {
        Context { caller: Caller::Role(Arc::clone(&self.anonymous)), ..Context::default() }
    }

    /// The context of a token's bearer.
    ///
    /// # Errors
    /// As [`Identities::context`].
    pub async fn of_token(&self, token: &str) -> Result<Context> {
        let identity = match self.remembered(token) {
            Some(identity) => identity,
            None => self.verify(token).await?,
        };
        Ok(Context { caller: Caller::Role(identity), ..Context::default() })
    }

    fn remembered(&self, token: &str) -> Option<Arc<Identity>> {
        let verified = self.verified.read();
        let found = verified.get(token)?;
        (found.expires > now()).then(|| Arc::clone(&found.identity))
    }

    async fn verify(&self, token: &str) -> Result<Arc<Identity>> {
        let authenticate = Authenticate { token: token.to_owned() };
        let identity = Arc::new(self.auth.send(authenticate).await?);
        let expires = identity.claims.get("exp").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
        let mut verified = self.verified.write();
        if verified.len() >= REMEMBERED {
            let now = now();
            verified.retain(|_, remembered| remembered.expires > now && remembered.expires != u64::MAX);
            if verified.len() >= REMEMBERED {
                verified.clear();
            }
        }
        verified.insert(token.to_owned(), Remembered { identity: Arc::clone(&identity), expires });
        Ok(identity)
    }

    /// The token a request carries: `Authorization: Bearer …` unless that is an API key, else what
    /// `apikey` stands for.
    fn token(&self, headers: &HeaderMap) -> Result<Option<String>> {
        let bearer = match headers.get(header::AUTHORIZATION) {
            None => None,
            Some(value) => bearer(value.to_str().unwrap_or_default()),
        };
        match bearer {
            Some(token) if !token.starts_with("sb_") => {
                if token.is_empty() {
                    return Err(unauthenticated("PGRST301", "Empty JWT is sent in Authorization header"));
                }
                Ok(Some(token.to_owned()))
            }
            _ => match headers.get("apikey").and_then(|key| key.to_str().ok()) {
                None => Ok(None),
                Some(key) => Ok(self.of_key(key)),
            },
        }
    }

    /// The token that an API key stands for; `None` is the anonymous caller.
    pub fn of_key(&self, key: &str) -> Option<String> {
        if key.is_empty() || self.keys.publishable.as_ref().is_some_and(|known| same(known, key)) {
            return None;
        }
        if self.keys.secret.as_ref().is_some_and(|known| same(known, key)) {
            return self.keys.service_role.as_ref().map(|token| token.expose().to_owned());
        }
        Some(key.to_owned())
    }
}

fn same(known: &Secret, given: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(known.expose().as_bytes(), given.as_bytes()).into()
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthenticated(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::Unauthenticated, code, message)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
