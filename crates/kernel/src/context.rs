//! What travels with an operation: who asks, until when, on whose behalf.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};

/// Who an operation is done for.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// TrustStream itself: engines, migrations, switches. No policy applies.
    #[default]
    System,
    /// A role with its claims; policies apply unless the role bypasses them.
    Role(Arc<Identity>),
}

/// A role and the verified claims of the token that gave it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Database role, such as `anon`, `authenticated`, `service_role`.
    pub role: String,
    /// Verified claims, as in the token.
    pub claims: Map<String, Json>,
    /// The claims as one JSON text (`request.jwt.claims`), made once.
    pub claims_text: String,
}

impl Identity {
    /// A role with claims; `role` is added to the claims if it is missing.
    pub fn new(role: impl Into<String>, mut claims: Map<String, Json>) -> Self {
        let role = role.into();
        claims.entry("role").or_insert_with(|| Json::String(role.clone()));
        let claims_text = Json::Object(claims.clone()).to_string();
        Identity { role, claims, claims_text }
    }

    /// The subject of the token: the user's id, if there is one.
    pub fn subject(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Json::as_str)
    }
}

/// Facts of the HTTP request that policies and database functions may read
/// (`request.method`, `request.path`, `request.headers`, `request.cookies`).
///
/// A trait, because few requests meet a policy that reads them: texts are made when they are asked for.
pub trait RequestFacts: fmt::Debug + Send + Sync {
    /// HTTP method, upper case.
    fn method(&self) -> &str;

    /// Path below the service's root, such as `/tracks`.
    fn path(&self) -> &str;

    /// Headers as one JSON object with lower-case names.
    fn headers(&self) -> String;

    /// Cookies as one JSON object.
    fn cookies(&self) -> String;
}

/// What travels with an operation. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// Tenant, where one gateway serves several.
    pub tenant: Option<Arc<str>>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Makes a repeated write safe: the same key is applied once.
    pub idempotency_key: Option<Arc<str>>,
    /// Ties together what belongs to one request in logs and traces.
    pub trace: Option<Arc<str>>,
    /// The HTTP request, where there is one.
    pub request: Option<Arc<dyn RequestFacts>>,
    /// What else policies and functions of the database may ask for (`current_setting`), by name.
    pub settings: Settings,
}

/// Settings of the database, by name.
pub type Settings = &'static [(&'static str, &'static str)];

impl Context {
    /// TrustStream acting for itself: no policy applies.
    pub fn system() -> Self {
        Context::default()
    }

    /// A role without further claims.
    pub fn role(role: &str) -> Self {
        Context::of(Identity::new(role, Map::new()))
    }

    /// A verified identity.
    pub fn of(identity: Identity) -> Self {
        Context { caller: Caller::Role(Arc::new(identity)), ..Context::default() }
    }

    /// The identity asking, or `None` for the system itself.
    pub fn identity(&self) -> Option<&Identity> {
        match &self.caller {
            Caller::System => None,
            Caller::Role(identity) => Some(identity),
        }
    }

    /// The same context with a deadline `timeout` from now, unless an earlier one is set.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        let deadline = Instant::now() + timeout;
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }

    /// Time left until the deadline; `None` when there is no deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}
