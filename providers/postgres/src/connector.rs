//! Single connections: what every session has, and the statements each has prepared.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use futures::join;
use parking_lot::Mutex;
use postgres_types::Type;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Connection as PgConnection, Error as PgError, Socket, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;
use truststream_kernel::{Error, Result, Secret};

use crate::cancel::cancel;
use crate::config::{Config, Pooler};
use crate::error::{failed, unreachable};
use crate::kept::Kept;
use crate::sql::Sql;
use crate::tls::Url;

/// What values are printed and read like, whatever the database or the role has set.
const SESSION: &[(&str, &str)] = &[
    ("timezone", "UTC"),
    ("standard_conforming_strings", "on"),
    ("datestyle", "ISO"),
    ("intervalstyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
];

/// A migration, a copy or a large schema takes longer than a request may, whether the configuration or
/// the connecting role says how long that is.
pub(crate) const NO_TIMEOUT: &str = "set local statement_timeout = 0";

/// A connection as it comes from the network.
type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// Prepared statements by their texts, which are long.
type Statements = HashMap<String, Statement, foldhash::fast::RandomState>;

/// Statements a connection keeps; beyond, all are prepared anew.
const PREPARED_AT_MOST: usize = 500;

/// What a session has beyond what it was opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Its search path.
    pub(crate) search_path: Option<String>,
    /// Whether transactions that say nothing of it only read.
    pub(crate) read_only: bool,
    /// A request's settings: all that they name are set anew by whoever sets the same names, or are found
    /// unchanged.
    pub(crate) request: Option<Arc<Kept>>,
}

/// Brings a session back to what it was opened with.
const RESET: &str = "reset role; reset all";

/// One connection.
pub(crate) struct Connection {
    client: Client,
    opening: String,
    place: Arc<tokio_postgres::Config>,
    encryption: MakeRustlsConnect,
    prepared: Mutex<Statements>,
    shaped: Mutex<Statements>,
    /// Unknown while it is being changed, and after that failed.
    session: Mutex<Option<Session>>,
}

impl Connection {
    /// Makes the session what is wanted. No transaction may be open; what is sent afterwards finds it so.
    pub(crate) async fn settle(&self, wanted: Session) -> Result<(), PgError> {
        let Some(now) = self.take_unless(&wanted) else { return Ok(()) };
        let known = now.filter(|now| now.request.is_none());
        let reset = self.reset_unless(known.is_some());
        let known = known.unwrap_or_default();
        let path = async {
            match &wanted.search_path {
                _ if known.search_path == wanted.search_path => Ok(()),
                Some(path) => {
                    let sql = "select set_config('search_path', $1, false)";
                    self.client.query_typed(sql, &[(path, Type::TEXT)]).await.map(drop)
                }
                None => self.client.batch_execute("reset search_path").await,
            }
        };
        let mode = async {
            match wanted.read_only {
                _ if known.read_only == wanted.read_only => Ok(()),
                true => self.client.batch_execute("set default_transaction_read_only = on").await,
                false => self.client.batch_execute("reset default_transaction_read_only").await,
            }
        };
        let (reset, path, mode) = join!(reset, path, mode);
        reset.and(path).and(mode)?;
        *self.session.lock() = Some(wanted);
        Ok(())
    }

    /// Makes the session ready for a request's settings, which are sent next. Nobody knows it until
    /// [`Connection::keep_request`].
    pub(crate) async fn begin_request(&self, settings: &str) -> Result<(), PgError> {
        let now = self.session.lock().take();
        let kept = now.and_then(|now| now.request);
        self.reset_unless(kept.is_some_and(|kept| kept.has_names_of(settings))).await
    }

    /// The session has what a request's settings say.
    pub(crate) fn keep_request(&self, kept: Kept) {
        *self.session.lock() = Some(Session { request: Some(Arc::new(kept)), ..Session::default() });
    }

    /// What the session has of a request that set the same.
    pub(crate) fn kept(&self, settings: &Sql) -> Option<Arc<Kept>> {
        let session = self.session.lock();
        let kept = session.as_ref().and_then(|session| session.request.as_ref());
        kept.filter(|kept| kept.is_made_by(settings)).map(Arc::clone)
    }

    async fn reset_unless(&self, known: bool) -> Result<(), PgError> {
        if known { Ok(()) } else { self.client.batch_execute(RESET).await }
    }

    /// What the session has, if that is not what is wanted; nobody knows it from then on.
    fn take_unless(&self, wanted: &Session) -> Option<Option<Session>> {
        let mut session = self.session.lock();
        (session.as_ref() != Some(wanted)).then(|| session.take())
    }

    /// The statements that begin a transaction: ` read only` and the like follow the first word.
    pub(crate) fn beginning(&self, mode: &str) -> String {
        format!("begin{mode}{}", self.opening)
    }

    /// Begins a transaction of TrustStream's own, which no time set for requests ends.
    pub(crate) async fn begin(&self, mode: &str) -> Result<()> {
        let beginning = format!("{}; {NO_TIMEOUT}", self.beginning(mode));
        self.client.batch_execute(&beginning).await.map_err(failed)
    }

    /// Asks the server to stop what it does here, unless it has ended.
    pub(crate) async fn cancel(&self) {
        if self.client.is_closed() {
            return;
        }
        cancel(self.client.cancel_token(), &self.place, self.encryption.clone()).await;
    }

    /// The prepared statement of a text, if it was prepared here before.
    pub(crate) fn prepared(&self, text: &str) -> Option<Statement> {
        self.prepared.lock().get(text).cloned()
    }

    /// Keeps a prepared statement.
    pub(crate) fn keep(&self, text: &str, statement: Statement) {
        keep(&self.prepared, text, statement);
    }

    /// The prepared statement by which the rows of a text are taken as values.
    pub(crate) fn shaped(&self, text: &str) -> Option<Statement> {
        self.shaped.lock().get(text).cloned()
    }

    /// Keeps a statement by which the rows of a text are taken as values.
    pub(crate) fn keep_shaped(&self, text: &str, statement: Statement) {
        keep(&self.shaped, text, statement);
    }

    /// Forgets all prepared statements.
    pub(crate) fn forget(&self) {
        self.prepared.lock().clear();
        self.shaped.lock().clear();
    }
}

fn keep(statements: &Mutex<Statements>, text: &str, statement: Statement) {
    let mut statements = statements.lock();
    if statements.len() >= PREPARED_AT_MOST {
        statements.clear();
    }
    statements.insert(text.to_owned(), statement);
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Makes connections.
pub(crate) struct Connector {
    config: Arc<tokio_postgres::Config>,
    encryption: MakeRustlsConnect,
    /// What a transaction begins with, where sessions are not ours to set.
    opening: String,
}

impl Connector {
    /// Reads a URL and adds what every session has.
    ///
    /// Behind a pooler in transaction mode a session belongs to nobody: it is set again in each
    /// transaction. Poolers refuse most of what a client asks for while it connects, too.
    pub(crate) fn new(url: &Secret, config: &Config, pooler: Option<Pooler>) -> Result<Self> {
        let parsed = Url::parse(url.expose())?;
        let encryption = parsed.encryption()?;
        let mut url = parsed.config;
        if url.get_application_name().is_none() {
            url.application_name("truststream");
        }
        if url.get_connect_timeout().is_none() {
            url.connect_timeout(Duration::from_secs(10));
        }
        let timeout = config.statement_timeout().map(|timeout| timeout.as_millis().to_string());
        let settings = SESSION.iter().copied().chain(timeout.iter().map(|ms| ("statement_timeout", &**ms)));
        let mut opening = String::new();
        if pooler.is_some() {
            for (name, value) in settings {
                opening.push_str(&format!("; set local {name} = '{value}'"));
            }
        } else {
            let mut options = url.get_options().unwrap_or_default().to_owned();
            for (name, value) in settings {
                options.push_str(&format!(" -c {name}={value}"));
            }
            url.options(options.trim_start());
        }
        Ok(Connector { config: Arc::new(url), encryption, opening })
    }

    /// A connection whose messages the caller reads itself.
    pub(crate) async fn listening(&self) -> Result<(Client, PgConnection<Socket, Encrypted>)> {
        self.config.connect(self.encryption.clone()).await.map_err(unreachable)
    }

    async fn connect(&self) -> Result<Client> {
        let (client, connection) = self.listening().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a PostgreSQL connection ended");
            }
        });
        Ok(client)
    }
}

impl Manager for Connector {
    // Boxed, because it is large and passed around for each request.
    type Type = Box<Connection>;
    type Error = Error;

    async fn create(&self) -> Result<Box<Connection>> {
        Ok(Box::new(Connection {
            // Boxed, because it is large and most requests find a connection.
            client: Box::pin(self.connect()).await?,
            opening: self.opening.clone(),
            place: Arc::clone(&self.config),
            encryption: self.encryption.clone(),
            prepared: Mutex::default(),
            shaped: Mutex::default(),
            session: Mutex::new(Some(Session::default())),
        }))
    }

    async fn recycle(&self, connection: &mut Box<Connection>, _: &Metrics) -> RecycleResult<Error> {
        if connection.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        Ok(())
    }
}
