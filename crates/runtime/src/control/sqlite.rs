//! The control store of one machine: a small SQLite file, of one process or of several.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;
use tokio::sync::watch;
use truststream_kernel::{BoxFuture, Error, Result};
use truststream_switch::{ControlStore, Entry, lost};

use super::{entry, failed};

/// How often it is looked whether another process changed the file.
const LOOK: Duration = Duration::from_millis(10);

/// Control state in a SQLite file. Entries are few and small, so calls run where they are made.
pub struct SqliteStore {
    connection: Arc<Mutex<Connection>>,
    changed: watch::Sender<()>,
}

impl SqliteStore {
    /// Opens the file, and makes it if it is not there.
    ///
    /// # Errors
    /// `Unavailable` when the file can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        SqliteStore::ready(Connection::open(path)).map_err(|error| {
            Error::unavailable(format!("the control store {} can't be opened: {error}", path.display()))
                .with_source(error)
        })
    }

    /// Opens the file as one of several processes of this machine.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_shared(path: &Path) -> Result<Self> {
        let store = SqliteStore::open(path)?;
        // It ends with the store.
        tokio::spawn(look(Arc::downgrade(&store.connection), store.changed.clone()));
        Ok(store)
    }

    /// Control state in memory, gone with the store.
    ///
    /// # Errors
    /// `Unavailable` when there is no memory for it.
    pub fn in_memory() -> Result<Self> {
        SqliteStore::ready(Connection::open_in_memory()).map_err(failed)
    }

    fn ready(connection: rusqlite::Result<Connection>) -> rusqlite::Result<Self> {
        let connection = connection?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(
            "create table if not exists entries (
                     key text primary key, version integer not null, value text not null
                 ) strict, without rowid",
        )?;
        Ok(SqliteStore { connection: Arc::new(Mutex::new(connection)), changed: watch::Sender::new(()) })
    }

    fn write(&self, key: &str, value: &Json, expected: i64) -> Result<()> {
        let connection = self.connection.lock();
        let written = if expected == 0 {
            connection.execute(
                "insert into entries values (?1, 1, ?2) on conflict do nothing",
                params![key, value.to_string()],
            )
        } else {
            connection.execute(
                "update entries set version = version + 1, value = ?2 where key = ?1 and version = ?3",
                params![key, value.to_string(), expected],
            )
        };
        if written.map_err(failed)? != 1 {
            return Err(lost(key));
        }
        self.changed.send_replace(());
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.connection.lock().execute("delete from entries where key = ?1", [key]).map_err(failed)?;
        self.changed.send_replace(());
        Ok(())
    }

    fn read(&self, key: &str) -> Result<Option<Entry>> {
        let found = self
            .connection
            .lock()
            .query_row("select version, value from entries where key = ?1", [key], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?))
            })
            .optional()
            .map_err(failed)?;
        found.map(|(version, text)| entry(version, &text)).transpose()
    }

    fn read_all(&self, prefix: &str) -> Result<Vec<(String, Entry)>> {
        let connection = self.connection.lock();
        let mut statement = connection
            .prepare_cached(
                "select key, version, value from entries where substr(key, 1, length(?1)) = ?1 order by key",
            )
            .map_err(failed)?;
        let rows = statement
            .query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)))
            .map_err(failed)?;
        rows.map(|row| {
            let (key, version, text): (String, i64, String) = row.map_err(failed)?;
            Ok((key, entry(version, &text)?))
        })
        .collect()
    }
}

async fn look(connection: Weak<Mutex<Connection>>, changed: watch::Sender<()>) {
    let mut known = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(connection) = connection.upgrade() else { return };
        let version = connection.lock().query_row("pragma data_version", [], |row| row.get::<_, i64>(0)).ok();
        if version != known {
            known = version;
            changed.send_replace(());
        }
    }
}

impl ControlStore for SqliteStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.read(key) })
    }

    fn put<'a>(&'a self, key: &'a str, value: Json, expected: i64) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.write(key, &value, expected) })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, Entry)>>> {
        Box::pin(async move { self.read_all(prefix) })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.delete(key) })
    }

    fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn entries_survive_and_change_only_by_compare_and_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let store = SqliteStore::open(&path).unwrap();
        store.put("route", json!({"owner": "main"}), 0).await.unwrap();
        assert_eq!(store.put("route", json!({}), 0).await.unwrap_err().code(), "BACKEND_007");
        store.put("route", json!({"owner": "cloud"}), 1).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&path).unwrap();
        let entry = store.get("route").await.unwrap().unwrap();
        assert_eq!(entry, Entry { version: 2, value: json!({"owner": "cloud"}) });
        assert_eq!(store.list("rou").await.unwrap().len(), 1);
        assert!(store.list("x").await.unwrap().is_empty());
        store.remove("route").await.unwrap();
        assert_eq!(store.get("route").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_process_sees_what_another_one_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.db");
        let (one, other) =
            (SqliteStore::open_shared(&path).unwrap(), SqliteStore::open_shared(&path).unwrap());
        let mut changes = other.watch();
        one.put("route", json!(1), 0).await.unwrap();
        let seen = async {
            while other.get("route").await.unwrap().is_none() {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
    }
}
