//! The pool of connections.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{Object, Pool};
use truststream_kernel::{Error, Result};

use crate::config::Config;
use crate::connector::{Connection, Connector, Session};
use crate::error::{failed, no_connection};
use crate::shared::{Ride, Sharing};
use crate::sql::Sql;

/// Bytes sent or received at once, after which a connection is closed instead of kept: its buffers stay as
/// large as they ever had to be, for each connection of the pool.
const LARGE: usize = 4 << 20;

/// The pool of a database.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool<Connector>,
    sharing: Arc<Sharing>,
}

impl Connections {
    /// Opens the pool and its first connections.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let connections = Connections::new(Connector::new(&config.url, config, config.pooler)?, config)?;
        let first = (0..config.pool.min.clamp(1, config.pool.max.max(1))).map(|_| connections.lease());
        futures::future::try_join_all(first).await?;
        Ok(connections)
    }

    /// A pool that connects when it is used.
    pub(crate) fn new(connector: Connector, config: &Config) -> Result<Self> {
        let wait = Duration::from_millis(config.pool.wait_ms);
        let pool = Pool::builder(connector)
            .max_size(config.pool.max.max(1))
            .runtime(deadpool::Runtime::Tokio1)
            .wait_timeout(Some(wait))
            .build()
            .map_err(|error| Error::internal("the pool could not be built").with_source(error))?;
        Ok(Connections { pool, sharing: Arc::default() })
    }

    /// Borrows a connection whose session is as it was opened.
    pub(crate) async fn lease(&self) -> Result<Lease> {
        let lease = self.lease_as_it_is().await?;
        lease.settle(Session::default()).await.map_err(failed)?;
        Ok(lease)
    }

    /// Borrows a connection for who settles its session along with the first statement.
    pub(crate) async fn lease_as_it_is(&self) -> Result<Lease> {
        let object = self.pool.get().await.map_err(no_connection)?;
        Ok(Lease { object: Some(object), clean: false })
    }

    /// The sessions that are shared.
    pub(crate) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// A busy session with these settings to read in, where all are busy and nobody waits for one.
    pub(crate) fn join(&self, settings: &Sql) -> Option<Ride> {
        let status = self.pool.status();
        let all_busy = status.available == 0 && status.size >= status.max_size && status.waiting == 0;
        if all_busy { self.sharing.join(settings) } else { None }
    }
}

/// A borrowed connection. Unless it is returned clean its statement is cancelled and it is closed, so
/// that a transaction whose future was dropped half-way neither works on nor is continued by another
/// request.
pub(crate) struct Lease {
    object: Option<Object<Connector>>,
    clean: bool,
}

impl Lease {
    /// No transaction is open: the connection may serve others.
    pub(crate) fn give_back(mut self) {
        self.clean = true;
    }

    /// The same after so many bytes went over it at once.
    pub(crate) fn give_back_after(mut self, bytes: usize) {
        if bytes <= LARGE {
            return self.give_back();
        }
        drop(self.object.take().map(Object::take));
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        // Taken only when the lease is dropped.
        self.object.as_ref().unwrap_or_else(|| unreachable!("a lease holds its connection"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take().filter(|_| !self.clean) {
            let connection = Object::take(object);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { connection.cancel().await });
            }
        }
    }
}
