//! Who a connection works for right now: read by functions that policies and defaults call.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;
use truststream_kernel::Context;

/// The state of one connection that SQL functions see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    role: String,
    subject: Option<String>,
    claims: Option<String>,
    origin: Option<String>,
    now: i64,
}

impl Session {
    /// Works for a caller from now on.
    pub(crate) fn enter(&self, cx: &Context) {
        let mut state = self.0.lock();
        state.now = now();
        state.origin = None;
        match cx.identity() {
            None => {
                "postgres".clone_into(&mut state.role);
                (state.subject, state.claims) = (None, None);
            }
            Some(identity) => {
                state.role.clone_from(&identity.role);
                state.subject = identity.subject().map(str::to_lowercase);
                state.claims = Some(identity.claims_text.clone());
            }
        }
    }

    /// Marks what is written from now on as coming from a stream.
    pub(crate) fn originate(&self, origin: Option<&str>) {
        self.0.lock().origin = origin.map(str::to_owned);
    }

    pub(crate) fn role(&self) -> String {
        self.0.lock().role.clone()
    }

    pub(crate) fn subject(&self) -> Option<String> {
        self.0.lock().subject.clone()
    }

    pub(crate) fn claims(&self) -> Option<String> {
        self.0.lock().claims.clone()
    }

    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        let claims: Json = serde_json::from_str(self.0.lock().claims.as_deref()?).ok()?;
        match claims.get(name)? {
            Json::String(text) => Some(text.clone()),
            Json::Null => None,
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn origin(&self) -> Option<String> {
        self.0.lock().origin.clone()
    }

    /// When the request began: microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.lock().now
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
