//! Durable state of routes and switches, shared by all nodes that serve one project.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::watch;
use truststream_kernel::{Error, ErrorKind, Result};

/// A value and how often it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// 1 for the first write; grows by one with each.
    pub version: i64,
    /// The value.
    pub value: Json,
}

/// A small key-value store whose writes are compare-and-set and durable when they return.
pub trait ControlStore: Send + Sync {
    /// The entry of a key.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>>;

    /// Writes a key whose version is `expected` (0: it does not exist).
    ///
    /// # Errors
    /// `Conflict` (`BACKEND_007`) when it has another version.
    fn put<'a>(&'a self, key: &'a str, value: Json, expected: i64) -> BoxFuture<'a, Result<()>>;

    /// Entries whose key begins with `prefix`, in the order of their keys.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, Entry)>>>;

    /// Removes a key, if it is there.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Changes whenever an entry may have been changed, soon after it was. Nothing relies on it:
    /// whoever watches looks now and then by itself.
    fn watch(&self) -> watch::Receiver<()>;
}

/// Code of the error of a lost compare-and-set.
pub(crate) const LOST: &str = "BACKEND_007";

/// The error of a lost compare-and-set.
pub fn lost(key: &str) -> Error {
    Error::new(ErrorKind::Conflict, LOST, format!("`{key}` was changed by someone else"))
}

/// A store that forgets when the process ends: for tests and for backends that do too.
#[derive(Default)]
pub struct MemoryStore {
    entries: Mutex<BTreeMap<String, Entry>>,
    changed: watch::Sender<()>,
}

impl MemoryStore {
    fn put_now(&self, key: &str, value: Json, expected: i64) -> Result<()> {
        let mut entries = self.entries.lock();
        if entries.get(key).map_or(0, |entry| entry.version) != expected {
            return Err(lost(key));
        }
        entries.insert(key.to_owned(), Entry { version: expected + 1, value });
        self.changed.send_replace(());
        Ok(())
    }
}

impl ControlStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { Ok(self.entries.lock().get(key).cloned()) })
    }

    fn put<'a>(&'a self, key: &'a str, value: Json, expected: i64) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.put_now(key, value, expected) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, Entry)>>> {
        Box::pin(async move {
            let entries = self.entries.lock();
            let found = entries.iter().filter(|(key, _)| key.starts_with(prefix));
            Ok(found.map(|(key, entry)| (key.clone(), entry.clone())).collect())
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.entries.lock().remove(key);
            self.changed.send_replace(());
            Ok(())
        })
    }

    fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
