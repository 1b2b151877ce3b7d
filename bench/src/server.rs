//! Database servers that peers share: those of a URL, or started in a temporary folder for this run.

use anyhow::{Context as _, Result};
use tokio_postgres::NoTls;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;

/// What PostgreSQL ships with, instead of what makes tests quick: an acknowledged write is on the disk.
const DURABLE: [&str; 4] =
    ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_connections=300"];

/// A PostgreSQL server.
pub struct Postgres {
    base: String,
    // Ends with this value.
    _own: Option<PostgresServer>,
}

impl Postgres {
    /// The server of a URL (`postgres://user@host:port`, a database's name after it does not matter), or
    /// one of this run's own.
    pub fn open(url: Option<&str>) -> Result<Self> {
        if let Some(url) = url {
            let (scheme, place) = url.split_once("://").context("a URL begins with postgres://")?;
            let place = place.split_once('/').map_or(place, |(place, _)| place);
            return Ok(Postgres { base: format!("{scheme}://{place}"), _own: None });
        }
        let own = PostgresServer::start(&DURABLE).context("starting PostgreSQL")?;
        Ok(Postgres { base: format!("postgres://postgres@127.0.0.1:{}", own.port()), _own: Some(own) })
    }

    /// Where a database of this name is.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// Makes a database; returns its URL.
    pub async fn new_database(&self, name: &str) -> Result<String> {
        let (client, connection) = tokio_postgres::connect(&self.url("postgres"), NoTls).await?;
        let connection = tokio::spawn(connection);
        let made = client.batch_execute(&format!("create database {name}")).await;
        made.with_context(|| {
            format!("making database {name}; one of an earlier run is to be dropped first")
        })?;
        drop(client);
        connection.await??;
        Ok(self.url(name))
    }
}

/// A server that speaks MongoDB's protocol.
pub struct Mongo {
    url: String,
    // Ends with this value.
    _own: Option<MongoServer>,
}

impl Mongo {
    /// The server of a URL, or SecantusDB, started for this run.
    pub fn open(url: Option<&str>) -> Result<Self> {
        if let Some(url) = url {
            return Ok(Mongo { url: url.to_owned(), _own: None });
        }
        let own = MongoServer::start().context("starting SecantusDB")?;
        Ok(Mongo { url: own.url(), _own: Some(own) })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}
