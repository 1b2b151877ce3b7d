//! A streaming replica for reads, and who must not read there yet.
//!
//! Each caller who wrote reads from the primary until the replica has replayed the log up to where it
//! stood at the caller's commit. Callers are told apart by the `sub` of their token, or their role
//! where they have none. What changes for everybody (the schema, rows that a switch brings) holds
//! everybody back.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_postgres::{Client, Error as PgError};
use truststream_kernel::{Caller, Context, Error, ErrorKind, Result};

use crate::config::Config;
use crate::connector::Connector;
use crate::error::{failed, is_lost};
use crate::pool::Connections;
use crate::transaction::Failure;

/// How often to look how far the replica is, while somebody waits for it and otherwise.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_IDLE: Duration = Duration::from_secs(1);
/// How long a caller reads from the primary whose write may or may not have been committed.
const UNCERTAIN: Duration = Duration::from_secs(30);

/// A place in the write-ahead log, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lsn(u64);

impl Lsn {
    /// How far the log of a primary reaches.
    pub(crate) async fn reached(client: &Client) -> Result<Self, PgError> {
        let sql = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text";
        Lsn::read(client, sql).await.map(Option::unwrap_or_default)
    }

    /// How far a replica has replayed it; `None` if this is no replica.
    async fn replayed(client: &Client) -> Result<Option<Self>, PgError> {
        let sql = "select case when pg_is_in_recovery() \
                   then pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::text end";
        Lsn::read(client, sql).await
    }

    async fn read(client: &Client, sql: &str) -> Result<Option<Self>, PgError> {
        let rows = client.query_typed(sql, &[]).await?;
        let text: Option<&str> = match rows.first() {
            Some(row) => row.try_get(0)?,
            None => None,
        };
        Ok(text.and_then(|text| text.parse().ok()).map(Lsn))
    }
}

/// A streaming replica.
pub(crate) struct Replica {
    connections: Connections,
    state: Mutex<State>,
    /// Somebody began to wait.
    awaited: Notify,
}

#[derive(Default)]
struct State {
    /// How far it is; `None` while it can't be reached.
    replayed: Option<Lsn>,
    everybody: Lsn,
    callers: HashMap<String, Wrote>,
}

/// What one caller wrote.
#[derive(Default)]
struct Wrote {
    /// Commits that are under way.
    pending: u32,
    last: Lsn,
    /// Until when a commit of unknown outcome counts.
    uncertain: Option<Instant>,
}

impl Wrote {
    fn is_in(&self, replayed: Lsn) -> bool {
        self.pending == 0
            && self.last <= replayed
            && self.uncertain.is_none_or(|until| until <= Instant::now())
    }
}

impl Replica {
    /// The replica that is configured; it is connected to when it is there.
    pub(crate) fn of(config: &Config) -> Result<Option<Arc<Self>>> {
        let Some(url) = &config.replica_url else { return Ok(None) };
        let connections = Connections::new(Connector::new(url, config, config.pooler)?, config)?;
        let replica = Replica { connections, state: Mutex::default(), awaited: Notify::new() };
        let replica = Arc::new(replica);
        tokio::spawn(follow(Arc::downgrade(&replica)));
        Ok(Some(replica))
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether it has all that a caller wrote.
    pub(crate) fn serves(&self, cx: &Context) -> bool {
        let state = self.state.lock();
        let Some(replayed) = state.replayed else { return false };
        state.everybody <= replayed && state.callers.get(caller(cx)).is_none_or(|wrote| wrote.is_in(replayed))
    }

    /// A commit of a caller begins.
    pub(crate) fn writing(self: &Arc<Self>, cx: &Context) -> Writing {
        let caller = caller(cx).to_owned();
        self.state.lock().callers.entry(caller.clone()).or_default().pending += 1;
        Writing { replica: Arc::clone(self), caller, reached: None }
    }

    /// Something changed for everybody; `client` is the primary's.
    pub(crate) async fn changed(&self, client: &Client) -> Result<()> {
        let reached = Lsn::reached(client).await.map_err(failed)?;
        let mut state = self.state.lock();
        state.everybody = state.everybody.max(reached);
        drop(state);
        self.awaited.notify_one();
        Ok(())
    }

    /// Whether a failure says more about the replica than about the request, which the primary may
    /// then answer: it is gone, replaying stopped the statement, or only a primary can do it.
    pub(crate) fn is_no_judge(&self, failure: &Failure) -> bool {
        let gone = match failure {
            Failure::Statement(error) => is_lost(error),
            Failure::Judged(error) => error.kind() == ErrorKind::Unavailable,
        };
        if gone {
            self.state.lock().replayed = None;
        }
        gone || matches!(failure, Failure::Statement(error) if error.code().is_some_and(|code| {
            matches!(code.code(), "40001" | "40P01" | "0A000" | "25006" | "55000") || code.code().starts_with("57P")
        }))
    }

    async fn look(&self) -> Result<Option<Lsn>> {
        let connection = self.connections.lease().await?;
        let replayed = Lsn::replayed(&connection).await.map_err(failed)?;
        connection.give_back();
        replayed.map(Some).ok_or_else(|| Error::configuration("replica_url leads to no replica"))
    }

    fn found(&self, found: Result<Option<Lsn>>) {
        let mut state = self.state.lock();
        match found {
            Ok(replayed) => {
                if state.replayed.is_none() {
                    tracing::info!("reads go to the replica");
                }
                state.replayed = replayed;
                if let Some(replayed) = replayed {
                    state.callers.retain(|_, wrote| !wrote.is_in(replayed));
                }
            }
            Err(error) => {
                if state.replayed.take().is_some() {
                    tracing::warn!(%error, "the replica can't be read from");
                }
            }
        }
    }

    fn is_awaited(&self) -> bool {
        let state = self.state.lock();
        state.replayed.is_some_and(|replayed| state.everybody > replayed || !state.callers.is_empty())
    }
}

/// Looks how far the replica is until nobody uses it any more.
async fn follow(replica: Weak<Replica>) {
    while let Some(replica) = replica.upgrade() {
        replica.found(replica.look().await);
        let every = if replica.is_awaited() { LOOK } else { LOOK_IDLE };
        // Awaited by one who keeps it for so long only.
        let _ = tokio::time::timeout(every, replica.awaited.notified()).await;
        tokio::time::sleep(LOOK).await;
    }
}

/// A commit under way. Dropped without knowing how far it reached, it counts for a while.
pub(crate) struct Writing {
    replica: Arc<Replica>,
    caller: String,
    reached: Option<Lsn>,
}

impl Writing {
    /// The log reached so far once it was done.
    pub(crate) fn reached(mut self, lsn: Lsn) {
        self.reached = Some(lsn);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.replica.state.lock();
        let wrote = state.callers.entry(std::mem::take(&mut self.caller)).or_default();
        wrote.pending = wrote.pending.saturating_sub(1);
        match self.reached {
            Some(lsn) => wrote.last = wrote.last.max(lsn),
            None => wrote.uncertain = Some(Instant::now() + UNCERTAIN),
        }
        drop(state);
        self.replica.awaited.notify_one();
    }
}

/// What tells callers apart.
fn caller(cx: &Context) -> &str {
    match &cx.caller {
        Caller::Role(identity) => {
            identity.claims.get("sub").and_then(|sub| sub.as_str()).unwrap_or(&identity.role)
        }
        Caller::System => "",
    }
}
