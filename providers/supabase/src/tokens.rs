//! Tokens that the project has verified, for the callers they belong to.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use truststream_kernel::Identity;

/// Tokens that are remembered of one project.
const REMEMBERED: usize = 10_000;

/// The projects of this process that are connected: what the auth of a project has verified, its
/// database and storage need.
static PROJECTS: LazyLock<Mutex<HashMap<String, Weak<Tokens>>>> = LazyLock::new(Mutex::default);

/// The tokens of one project's callers.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<String, Remembered>>);

#[derive(Debug)]
struct Remembered {
    token: String,
    expires: u64,
}

impl Tokens {
    /// The tokens of the project at a URL.
    pub(crate) fn of(url: &str) -> Arc<Self> {
        let mut projects = PROJECTS.lock();
        if let Some(tokens) = projects.get(url).and_then(Weak::upgrade) {
            return tokens;
        }
        projects.retain(|_, tokens| tokens.strong_count() > 0);
        let tokens = Arc::new(Tokens::default());
        projects.insert(url.to_owned(), Arc::downgrade(&tokens));
        tokens
    }

    /// Remembers the token that gave an identity, until it expires.
    pub(crate) fn remember(&self, identity: &Identity, token: &str) {
        let expires = identity.claims.get("exp").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX);
        let mut known = self.0.lock();
        if known.len() >= REMEMBERED {
            let now = now();
            known.retain(|_, remembered| remembered.expires > now && remembered.expires != u64::MAX);
            if known.len() >= REMEMBERED {
                known.clear();
            }
        }
        known.insert(identity.claims_text.clone(), Remembered { token: token.to_owned(), expires });
    }

    /// The token that gave exactly this identity.
    pub(crate) fn token(&self, identity: &Identity) -> Option<String> {
        self.0.lock().get(&identity.claims_text).map(|remembered| remembered.token.clone())
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
