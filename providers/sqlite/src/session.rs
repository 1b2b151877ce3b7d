//! Who a connection works for right now: read by functions that policies and defaults call.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::types::Value as Cell;
use serde_json::Value as Json;
use truststream_kernel::value::zone::{self, Zone};
use truststream_kernel::{Caller, Context, Identity, RequestFacts, Settings};
use truststream_services::database::Transaction;
use truststream_sql::server;

use crate::sequence::Counters;

/// The state of one connection that SQL functions see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    caller: Caller,
    request: Option<Arc<dyn RequestFacts>>,
    origin: Option<String>,
    now: i64,
    /// What the caller brings, and what functions set for the rest of the transaction.
    settings: HashMap<String, String>,
    /// Variables of the triggers that fire at the moment, innermost last.
    variables: Vec<HashMap<String, Cell>>,
    counters: Counters,
    /// The queries of loops whose rows are not all gone over.
    reading: Vec<String>,
    only_reads: bool,
}

impl State {
    fn work_for(&mut self, cx: &Context) {
        self.variables.clear();
        self.reading.clear();
        self.settings.extend(owned(cx.settings));
        self.request.clone_from(&cx.request);
        self.caller = cx.caller.clone();
    }

    fn identity(&self) -> Option<&Identity> {
        match &self.caller {
            Caller::System => None,
            Caller::Role(identity) => Some(identity),
        }
    }
}

fn owned(settings: Settings) -> impl Iterator<Item = (String, String)> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

impl Session {
    /// Works for a caller from now on.
    pub(crate) fn enter(&self, cx: &Context) {
        let mut state = self.0.lock();
        state.now = now();
        state.settings.clear();
        state.origin = None;
        state.work_for(cx);
    }

    /// Goes on with a transaction: its moment and what functions set in it stay.
    pub(crate) fn go_on(&self, cx: &Context) {
        self.0.lock().work_for(cx);
    }

    /// Works for readers only from now on.
    pub(crate) fn read_only(&self) {
        self.0.lock().only_reads = true;
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.0.lock().only_reads
    }

    /// Does something with the numbers of sequences.
    pub(crate) fn count<T>(&self, work: impl FnOnce(&mut Counters) -> T) -> T {
        work(&mut self.0.lock().counters)
    }

    /// Marks what is written from now on as coming from a stream.
    pub(crate) fn originate(&self, origin: Option<&str>) {
        self.0.lock().origin = origin.map(str::to_owned);
    }

    /// Does something of which the application's triggers are not told.
    pub(crate) fn quietly<T>(&self, work: impl FnOnce() -> T) -> T {
        let origin = self.0.lock().origin.replace(String::new());
        let done = work();
        self.0.lock().origin = origin;
        done
    }

    /// Does something while the rows of a query are gone over.
    pub(crate) fn while_reading<T>(&self, sql: &str, work: impl FnOnce() -> T) -> T {
        self.0.lock().reading.push(sql.to_owned());
        let done = work();
        self.0.lock().reading.pop();
        done
    }

    /// Whether a query whose rows are gone over names a table, as the file has it in quotes.
    pub(crate) fn is_reading(&self, quoted: &str) -> bool {
        self.0.lock().reading.iter().any(|sql| sql.contains(quoted))
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

    /// A setting by name; `None` if there is none.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let state = self.0.lock();
        if let Some(value) = state.settings.get(name) {
            return Some(value.clone());
        }
        match (name, &state.request) {
            ("request.method", Some(facts)) => Some(facts.method().to_owned()),
            ("request.path", Some(facts)) => Some(facts.path().to_owned()),
            ("request.headers", Some(facts)) => Some(facts.headers()),
            ("request.cookies", Some(facts)) => Some(facts.cookies()),
            ("request.jwt.claims", _) => state.identity().map(|identity| identity.claims_text.clone()),
            ("role", _) => Some(state.identity().map_or("postgres", |identity| &identity.role).to_owned()),
            _ => server::setting(name, state.identity().is_none()),
        }
    }

    /// Sets one for the rest of the transaction.
    pub(crate) fn set_setting(&self, name: &str, value: String) {
        self.0.lock().settings.insert(name.to_owned(), value);
    }

    /// What functions set until now.
    pub(crate) fn settings(&self) -> HashMap<String, String> {
        self.0.lock().settings.clone()
    }

    /// Forgets what functions set since then.
    pub(crate) fn restore_settings(&self, settings: HashMap<String, String>) {
        self.0.lock().settings = settings;
    }

    pub(crate) fn origin(&self) -> Option<String> {
        self.0.lock().origin.clone()
    }

    /// Begins or ends the life of a trigger's variables.
    pub(crate) fn frame(&self, begins: bool) {
        let variables = &mut self.0.lock().variables;
        if begins { variables.push(HashMap::new()) } else { drop(variables.pop()) }
    }

    /// Sets a variable of the innermost trigger.
    pub(crate) fn set_variable(&self, name: String, value: Cell) {
        if let Some(frame) = self.0.lock().variables.last_mut() {
            frame.insert(name, value);
        }
    }

    /// A variable of the innermost trigger; null until it is set.
    pub(crate) fn variable(&self, name: &str) -> Cell {
        self.0.lock().variables.last().and_then(|frame| frame.get(name).cloned()).unwrap_or(Cell::Null)
    }

    /// When the request began: microseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.0.lock().now
    }
}

/// Does something in the time zone that a request names; as with PostgREST, one that there is not
/// changes nothing.
pub(crate) fn in_zone<T>(transaction: &Transaction, work: impl FnOnce() -> T) -> T {
    zone::within(transaction.time_zone.as_deref().and_then(Zone::named), work)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
