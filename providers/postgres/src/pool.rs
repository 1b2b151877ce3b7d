//! Connections: pooled, each with the statements it has prepared.

use std::collections::HashMap;
use std::ops::Deref;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use parking_lot::Mutex;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection as PgConnection, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use truststream_kernel::{Error, Result};

use crate::config::Config;
use crate::error::{no_connection, unreachable};
use crate::tls::Url;

/// A connection as it comes from the network.
type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Statements a connection keeps; beyond, all are prepared anew.
const PREPARED_AT_MOST: usize = 500;

/// One connection.
pub(crate) struct Connection {
    client: Client,
    prepared: Mutex<HashMap<String, Statement>>,
}

impl Connection {
    /// The prepared statement of a text, if it was prepared here before.
    pub(crate) fn prepared(&self, text: &str) -> Option<Statement> {
        self.prepared.lock().get(text).cloned()
    }

    /// Keeps a prepared statement.
    pub(crate) fn keep(&self, text: &str, statement: Statement) {
        let mut prepared = self.prepared.lock();
        if prepared.len() >= PREPARED_AT_MOST {
            prepared.clear();
        }
        prepared.insert(text.to_owned(), statement);
    }

    /// Forgets all prepared statements.
    pub(crate) fn forget(&self) {
        self.prepared.lock().clear();
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Makes connections.
pub(crate) struct Connector {
    config: tokio_postgres::Config,
    encryption: MakeRustlsConnect,
}

impl Connector {
    /// Reads the URL and adds what every session has.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let parsed = Url::parse(config.url.expose())?;
        let encryption = parsed.encryption()?;
        let mut url = parsed.config;
        if url.get_application_name().is_none() {
            url.application_name("truststream");
        }
        if url.get_connect_timeout().is_none() {
            url.connect_timeout(Duration::from_secs(10));
        }
        let mut options = url.get_options().unwrap_or_default().to_owned();
        options.push_str(" -c timezone=UTC -c standard_conforming_strings=on -c DateStyle=ISO");
        options.push_str(" -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex");
        if let Some(timeout) = config.statement_timeout() {
            options.push_str(&format!(" -c statement_timeout={}", timeout.as_millis()));
        }
        url.options(options.trim_start());
        Ok(Connector { config: url, encryption })
    }

    async fn connect(&self) -> Result<Client> {
        let (client, connection) = self.config.connect(self.encryption.clone()).await.map_err(unreachable)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a PostgreSQL connection ended");
            }
        });
        Ok(client)
    }
}

impl Manager for Connector {
    type Type = Connection;
    type Error = Error;

    async fn create(&self) -> Result<Connection> {
        Ok(Connection { client: self.connect().await?, prepared: Mutex::default() })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Error> {
        if connection.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}

/// The pool of a database.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Pool<Connector>,
}

impl Connections {
    /// Opens the pool and its first connections.
    pub(crate) async fn open(config: &Config) -> Result<Self> {
        let wait = Duration::from_millis(config.pool.wait_ms);
        let pool = Pool::builder(Connector::new(config)?)
            .max_size(config.pool.max.max(1))
            .runtime(deadpool::Runtime::Tokio1)
            .wait_timeout(Some(wait))
            .build()
            .map_err(|error| Error::internal("the pool could not be built").with_source(error))?;
        let connections = Connections { pool };
        let first = (0..config.pool.min.clamp(1, config.pool.max.max(1))).map(|_| connections.lease());
        futures::future::try_join_all(first).await?;
        Ok(connections)
    }

    /// Borrows a connection for one transaction.
    pub(crate) async fn lease(&self) -> Result<Lease> {
        let object = self.pool.get().await.map_err(no_connection)?;
        let encryption = self.pool.manager().encryption.clone();
        Ok(Lease { object: Some(object), encryption, clean: false })
    }

    /// A connection outside the pool whose messages the caller reads itself.
    pub(crate) async fn listening(&self) -> Result<(Client, PgConnection<Socket, Encrypted>)> {
        let connector = self.pool.manager();
        connector.config.connect(connector.encryption.clone()).await.map_err(unreachable)
    }
}

/// How long the server may take to hear that a statement is to be cancelled.
const CANCEL: Duration = Duration::from_secs(5);

/// A borrowed connection. Unless it is returned clean its statement is cancelled and it is closed, so
/// that a transaction whose future was dropped half-way neither works on nor is continued by another
/// request.
pub(crate) struct Lease {
    object: Option<Object<Connector>>,
    encryption: MakeRustlsConnect,
    clean: bool,
}

impl Lease {
    /// No transaction is open: the connection may serve others.
    pub(crate) fn give_back(mut self) {
        self.clean = true;
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
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
            if connection.is_closed() {
                return;
            }
            let encryption = self.encryption.clone();
            runtime.spawn(async move {
                let token = connection.cancel_token();
                let cancelling = tokio::time::timeout(CANCEL, token.cancel_query(encryption));
                // The server forgets what could be cancelled once the connection ends.
                if let Ok(Err(error)) = cancelling.await {
                    tracing::debug!(%error, "a statement could not be cancelled");
                }
                drop(connection);
            });
        }
    }
}
