//! Who a connection works for right now: read by functions that policies and defaults call.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value as Json;
use truststream_kernel::{Caller, Context, Identity};

/// The state of one connection that SQL functions see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    caller: Caller,
    origin: Option<String>,
    now: i64,
}

impl State {
    fn identity(&self) -> Option<&Identity> {
        match &self.caller {
            Caller::System => None,
            Caller::Role(identity) => Some(identity),
        }
    }
}

impl Session {
    /// Works for a caller from now on.
    pub(crate) fn enter(&self, cx: &Context) {
        let mut state = self.0.lock();
        state.now = now();
        state.origin = None;
        state.caller = cx.caller.clone();
    }

    /// Marks what is written from now on as coming from a stream.
    pub(crate) fn originate(&self, origin: Option<&str>) {
        self.0.lock().origin = origin.map(str::to_owned);
    }

    pub(crate) fn role(&self) -> String {
        self.0.lock().identity().map_or("postgres", |identity| &identity.role).to_owned()
    }

    pub(crate) fn subject(&self) -> Option<String> {
        self.0.lock().identity()?.subject().map(str::to_lowercase)
    }

    pub(crate) fn claims(&self) -> Option<String> {
        self.0.lock().identity().map(|identity| identity.claims_text.clone())
    }

    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        match self.0.lock().identity()?.claims.get(name)? {
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
