//! The public keys that a project signs tokens with, kept for a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use futures::lock::Mutex;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Method;
use serde_json::{Map, Value as Json};
use truststream_kernel::Result;

use crate::client::{Client, ask, json};
use crate::error::of_auth_api;

/// How long keys are believed without asking again: a key that the project has revoked is not believed
/// for longer. Supabase's own clients keep them as long.
const KEPT: Duration = Duration::from_secs(600);
/// How soon the project may be asked again, however many tokens name keys that it does not have.
const PAUSE: Duration = Duration::from_secs(2);

/// A key and the one algorithm that is believed of it.
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) verifies: DecodingKey,
}

struct Known {
    keys: HashMap<String, Arc<PublicKey>>,
    asked: Instant,
}

/// The keys of one project.
#[derive(Default)]
pub(super) struct ProjectKeys {
    known: ArcSwapOption<Known>,
    /// One asks, the others wait for what it is told.
    asking: Mutex<()>,
}

impl ProjectKeys {
    /// The key of this name, if the project has it.
    ///
    /// # Errors
    /// When the project must be asked and can't be.
    pub(super) async fn named(&self, client: &Client, kid: &str) -> Result<Option<Arc<PublicKey>>> {
        if let Some(known) = self.younger_than(KEPT)
            && let Some(key) = known.keys.get(kid)
        {
            return Ok(Some(Arc::clone(key)));
        }
        let _turn = self.asking.lock().await;
        let known = match self.younger_than(PAUSE) {
            Some(known) => known,
            None => self.ask(client).await?,
        };
        Ok(known.keys.get(kid).map(Arc::clone))
    }

    fn younger_than(&self, age: Duration) -> Option<Arc<Known>> {
        self.known.load_full().filter(|known| known.asked.elapsed() < age)
    }

    async fn ask(&self, client: &Client) -> Result<Arc<Known>> {
        let path = ["auth", "v1", ".well-known", "jwks.json"];
        let request = client.with_bearer(client.credentials().api_key(), Method::GET, &path)?;
        let set: Map<String, Json> = json(&ask(request, false, of_auth_api).await?)?;
        let listed = set.get("keys").and_then(Json::as_array).into_iter().flatten();
        let known = Arc::new(Known { keys: listed.filter_map(read).collect(), asked: Instant::now() });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }
}

/// A key of the set; those that can't be used here are passed over, as the standard wants it.
fn read(listed: &Json) -> Option<(String, Arc<PublicKey>)> {
    let key: Jwk = serde_json::from_value(listed.clone()).ok()?;
    let algorithm = match key.common.key_algorithm? {
        KeyAlgorithm::RS256 => Algorithm::RS256,
        KeyAlgorithm::ES256 => Algorithm::ES256,
        // A secret is never public, and what is signed with one that is listed is signed by anybody.
        _ => return None,
    };
    let verifies = DecodingKey::from_jwk(&key).ok()?;
    Some((key.common.key_id?, Arc::new(PublicKey { algorithm, verifies })))
}
