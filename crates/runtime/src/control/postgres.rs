//! The control store of several machines: a table in PostgreSQL.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{Mutex, watch};
use tokio_postgres::{AsyncMessage, Client, Row};
use truststream_kernel::{BoxFuture, Error, Result, Secret};
use truststream_postgres::Messages;
use truststream_switch::{ControlStore, Entry, lost};

use super::{entry, failed};

/// How long one answer may take. A connection that takes longer is given up, so that a network that
/// swallows packets costs no lease.
const PATIENCE: Duration = Duration::from_millis(800);

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(3);

/// What is acknowledged must be durable, whatever the server's default is.
const OPEN: &str = "
    set synchronous_commit = on;
    begin;
    select pg_advisory_xact_lock(7216405, 1);
    create schema if not exists truststream_control;
    create table if not exists truststream_control.entries (
        key text primary key, version bigint not null, value json not null
    );
    commit;
    listen truststream_control";

const GET: &str = "select version, value::text from truststream_control.entries where key = $1";

const LIST: &str = "select key, version, value::text from truststream_control.entries
    where starts_with(key, $1) order by key collate \"C\"";

const INSERT: &str = "with changed as (
        insert into truststream_control.entries values ($1, 1, $2::text::json)
        on conflict do nothing returning 1
    ) select pg_notify('truststream_control', $1) from changed";

const UPDATE: &str = "with changed as (
        update truststream_control.entries set version = version + 1, value = $2::text::json
        where key = $1 and version = $3 returning 1
    ) select pg_notify('truststream_control', $1) from changed";

const REMOVE: &str = "with changed as (
        delete from truststream_control.entries where key = $1 returning 1
    ) select pg_notify('truststream_control', $1) from changed";

/// Control state in a PostgreSQL database. One connection asks, and hears of what others change.
pub struct PostgresStore {
    url: Secret,
    present: Mutex<Option<Arc<Client>>>,
    changed: watch::Sender<()>,
}

impl PostgresStore {
    /// Connects, and makes what is not there.
    ///
    /// # Errors
    /// `Unavailable` when the database can't be reached, `Configuration` for a URL that is none.
    pub async fn open(url: Secret) -> Result<Self> {
        let store = PostgresStore { url, present: Mutex::default(), changed: watch::Sender::new(()) };
        store.client().await?;
        Ok(store)
    }

    /// The present connection, or another one after it was lost.
    async fn client(&self) -> Result<Arc<Client>> {
        let mut present = self.present.lock().await;
        if let Some(client) = present.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = tokio::time::timeout(CONNECT, self.connect()).await.map_err(failed)??;
        let client = Arc::new(client);
        *present = Some(Arc::clone(&client));
        Ok(client)
    }

    async fn connect(&self) -> Result<Client> {
        let (client, messages) = truststream_postgres::connect(&self.url).await?;
        tokio::spawn(hear(messages, self.changed.clone()));
        client.batch_execute(OPEN).await.map_err(|error| {
            Error::unavailable("the control store can't be opened")
                .with_source(error)
                .with_hint("the user of `url` in [control] must be able to make a schema and a table")
        })?;
        Ok(client)
    }

    async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client().await?;
        match tokio::time::timeout(PATIENCE, client.query(sql, params)).await {
            Ok(answer) => answer.map_err(failed),
            Err(late) => {
                let mut present = self.present.lock().await;
                if present.as_ref().is_some_and(|present| Arc::ptr_eq(present, &client)) {
                    *present = None;
                }
                Err(failed(late))
            }
        }
    }

    async fn write(&self, key: &str, value: &Json, expected: i64) -> Result<()> {
        let text = value.to_string();
        let changed = if expected == 0 {
            self.rows(INSERT, &[&key, &text]).await?
        } else {
            self.rows(UPDATE, &[&key, &text, &expected]).await?
        };
        if changed.is_empty() { Err(lost(key)) } else { Ok(()) }
    }
}

/// Drives a connection, and tells of what it hears.
async fn hear(mut messages: Messages, changed: watch::Sender<()>) {
    while let Some(Ok(message)) = poll_fn(|task| messages.poll_message(task)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            changed.send_replace(());
        }
    }
    changed.send_replace(());
}

impl ControlStore for PostgresStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let rows = self.rows(GET, &[&key]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let text: String = row.try_get(1).map_err(failed)?;
            entry(row.try_get(0).map_err(failed)?, &text).map(Some)
        })
    }

    fn put<'a>(&'a self, key: &'a str, value: Json, expected: i64) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.write(key, &value, expected).await })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<(String, Entry)>>> {
        Box::pin(async move {
            let rows = self.rows(LIST, &[&prefix]).await?;
            let read = |row: &Row| {
                let text: String = row.try_get(2).map_err(failed)?;
                Ok((row.try_get(0).map_err(failed)?, entry(row.try_get(1).map_err(failed)?, &text)?))
            };
            rows.iter().map(read).collect()
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.rows(REMOVE, &[&key]).await.map(drop) })
    }

    fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use truststream_conformance::postgres_server::PostgresServer;
    use truststream_kernel::ErrorKind;

    use super::*;

    /// Asks again while there is no answer in time, as on a busy machine.
    async fn answered<T>(ask: impl AsyncFn() -> Result<T>) -> Result<T> {
        let began = std::time::Instant::now();
        loop {
            match ask().await {
                Err(error)
                    if error.kind() == ErrorKind::Unavailable
                        && began.elapsed() < Duration::from_secs(60) => {}
                answer => return answer,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a store has under a key.
    async fn of(store: &PostgresStore, key: &str) -> Option<Entry> {
        answered(async || store.get(key).await).await.unwrap()
    }

    /// Puts a value. Of what was not answered in time nobody knows whether it was done.
    async fn put(store: &PostgresStore, value: Json, expected: i64) {
        let done = Entry { version: expected + 1, value: value.clone() };
        match answered(async || store.put("route", value.clone(), expected).await).await {
            Err(error) if error.code() == "BACKEND_007" => assert_eq!(of(store, "route").await, Some(done)),
            put => put.unwrap(),
        }
    }

    #[tokio::test]
    async fn several_processes_change_entries_in_turns_and_hear_of_it() {
        let mut server = PostgresServer::start(&["synchronous_commit=off"]).unwrap();
        let url = Secret::new(server.new_database().unwrap());
        let open = async || answered(async || PostgresStore::open(url.clone()).await).await;
        let (one, other) = tokio::join!(open(), open());
        let (one, other) = (one.unwrap(), other.unwrap());
        let mut changes = other.watch();
        put(&one, json!({ "owner": "main" }), 0).await;
        tokio::time::timeout(Duration::from_secs(60), changes.changed()).await.unwrap().unwrap();
        let entry = of(&other, "route").await.unwrap();
        assert_eq!(entry, Entry { version: 1, value: json!({ "owner": "main" }) });
        put(&other, json!({ "owner": "cloud" }), 1).await;
        for taken in [1, 0] {
            let late = answered(async || one.put("route", json!({}), taken).await).await;
            assert_eq!(late.unwrap_err().code(), "BACKEND_007");
        }

        server.crash().unwrap();
        assert!(one.get("route").await.is_err());
        server.restart().unwrap();
        let entry = of(&one, "route").await.unwrap();
        assert_eq!(entry, Entry { version: 2, value: json!({ "owner": "cloud" }) });
        let listed = async |prefix: &str| answered(async || one.list(prefix).await).await.unwrap().len();
        assert_eq!((listed("rou").await, listed("_").await), (1, 0));
        answered(async || one.remove("route").await).await.unwrap();
        assert_eq!(of(&other, "route").await, None);
    }
}
