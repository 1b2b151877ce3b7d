//! What can be configured of a PostgreSQL backend.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use tokio_postgres::config::Host;
use truststream_kernel::Secret;

use crate::tls::Url;

/// A PostgreSQL database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Connection URL, `postgresql://user:password@host:port/database`. The role must be allowed to
    /// `set role` to the roles of the callers. `sslmode` (`disable`, `prefer`, `require`, `verify-ca`,
    /// `verify-full`) and `sslrootcert` say how connections are encrypted; without, they are if the
    /// server can, and only `verify-full` is safe from a server that is another.
    pub url: Secret,
    /// How many connections are kept.
    #[serde(default)]
    pub pool: PoolConfig,
    /// A statement that runs longer is cancelled (milliseconds); no limit if absent.
    #[serde(default)]
    pub statement_timeout_ms: Option<u64>,
    /// Schemas searched after the request's own one (extensions, for the most part).
    #[serde(default = "default_extra_search_path")]
    pub extra_search_path: Vec<String>,
    /// A function without arguments that is called at the beginning of each request, such as
    /// `public.check_request`.
    #[serde(default)]
    pub pre_request: Option<String>,
    /// Settings that functions and policies can read with `current_setting`.
    #[serde(default)]
    pub app_settings: BTreeMap<String, String>,
    /// The pooler that `url` leads to, if it shares connections between clients: `transaction` for
    /// pgbouncer, Supavisor and others in transaction mode. Nothing is then kept in a session.
    #[serde(default)]
    pub pooler: Option<Pooler>,
    /// Connection URL that goes around the pooler, to listen for changes of the schema. Without one
    /// they are found by looking (`schema_check_s`).
    #[serde(default)]
    pub direct_url: Option<Secret>,
    /// Prepare statements and keep them. On unless there is a pooler; to be switched on again for one
    /// that knows prepared statements (pgbouncer from 1.21 with `max_prepared_statements`).
    #[serde(default)]
    pub prepared_statements: Option<bool>,
    /// Connection URL of a streaming replica, for reads outside of transactions. A caller who wrote
    /// reads from the primary until the replica has received what was written.
    #[serde(default)]
    pub replica_url: Option<Secret>,
    /// How often to look whether the schema changed without notice (seconds); 0 never looks.
    #[serde(default = "ten_seconds")]
    pub schema_check_s: u64,
    /// Take `pgrst.db_pre_request`, `pgrst.db_extra_search_path` and `pgrst.app.settings.*` from the
    /// settings of the connecting role (`alter role … set`), as PostgREST does.
    #[serde(default = "yes")]
    pub role_config: bool,
    /// The largest result whose estimated total is counted exactly; all are if absent.
    #[serde(default)]
    pub estimate_above: Option<u64>,
    /// How long the change log keeps changes (seconds); 0 keeps them for ever.
    #[serde(default = "one_hour")]
    pub feed_retention_s: u64,
    /// Set up roles and schemas (`auth`, `storage`, `truststream`) if the database is empty.
    #[serde(default = "yes")]
    pub bootstrap: bool,
}

impl Config {
    /// The same for another database of the server, by the way that goes around a pooler.
    ///
    /// # Errors
    /// `Configuration` if the URL is malformed.
    pub(crate) fn beside(&self, database: &str) -> truststream_kernel::Result<Self> {
        let url = self.direct_url.as_ref().unwrap_or(&self.url);
        let mut url = url::Url::parse(url.expose()).map_err(|error| {
            truststream_kernel::Error::configuration("the URL of the database is malformed")
                .with_source(error)
        })?;
        url.set_path(database);
        let (pooler, replica_url, direct_url) = (None, None, None);
        Ok(Config {
            url: Secret::new(url.to_string()),
            pooler,
            replica_url,
            direct_url,
            bootstrap: true,
            ..self.clone()
        })
    }

    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Config {
            url: Secret::new(url),
            pool: PoolConfig::default(),
            statement_timeout_ms: None,
            extra_search_path: default_extra_search_path(),
            pre_request: None,
            app_settings: BTreeMap::new(),
            pooler: None,
            direct_url: None,
            prepared_statements: None,
            replica_url: None,
            schema_check_s: ten_seconds(),
            role_config: true,
            estimate_above: None,
            feed_retention_s: one_hour(),
            bootstrap: true,
        }
    }

    /// Where the database is, without credentials: `host:port/database`.
    pub fn place(&self) -> String {
        let Ok(Url { config: url, .. }) = Url::parse(self.url.expose()) else {
            return "a malformed url".to_owned();
        };
        let host = match url.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = url.get_ports().first().unwrap_or(&5432);
        format!("{host}:{port}/{}", url.get_dbname().or(url.get_user()).unwrap_or_default())
    }

    pub(crate) fn prepares(&self) -> bool {
        self.prepared_statements.unwrap_or(self.pooler.is_none())
    }

    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.statement_timeout_ms.map(Duration::from_millis)
    }
}

/// How a pooler shares connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooler {
    /// A connection belongs to a client for one transaction.
    Transaction,
}

/// How many connections are kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolConfig {
    /// Opened at the start and kept.
    pub min: usize,
    /// At most so many; requests wait for a free one.
    pub max: usize,
    /// How long a request waits for a connection (milliseconds).
    pub wait_ms: u64,
}

impl Default for PoolConfig {
    fn default() -> Self {
        PoolConfig { min: 1, max: 10, wait_ms: 10_000 }
    }
}

fn default_extra_search_path() -> Vec<String> {
    vec!["public".into(), "extensions".into()]
}

fn ten_seconds() -> u64 {
    10
}

fn one_hour() -> u64 {
    3600
}

fn yes() -> bool {
    true
}
