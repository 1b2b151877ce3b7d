//! The kinds of backend a switch is run between.

use anyhow::{Result, bail};
use clap::ValueEnum;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;

use crate::wire::{Condition, Wire};

/// An engine that a backend's database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
    Mongodb,
}

impl Engine {
    /// Whether what it acknowledged survives that its server is killed, and whether that can be done.
    pub fn has_server(self) -> bool {
        self == Engine::Postgres
    }
}

/// One side of the switch, with its own server if it needs one.
pub struct Side {
    name: &'static str,
    database: String,
    server: Server,
    wire: Option<Wire>,
}

enum Server {
    None,
    Postgres(PostgresServer),
    // Kept so that it lives as long as the side.
    Mongodb { _server: MongoServer },
}

impl Side {
    /// A side whose backend is called `name`.
    pub async fn start(name: &'static str, engine: Engine) -> Result<Self> {
        Ok(match engine {
            Engine::Sqlite => {
                let database = format!("{{ provider = \"sqlite\", path = \"{name}.db\" }}");
                Side { name, database, server: Server::None, wire: None }
            }
            Engine::Postgres => {
                // What was acknowledged survives a crash of the server.
                let server = PostgresServer::start(&["synchronous_commit=on"])?;
                let wire = Wire::to(server.port()).await?;
                let (own, wired) = (format!(":{}/", server.port()), format!(":{}/", wire.port()));
                let url = server.new_database()?.replace(&own, &wired);
                let database = format!("{{ provider = \"postgres\", url = \"{url}\" }}");
                Side { name, database, server: Server::Postgres(server), wire: Some(wire) }
            }
            Engine::Mongodb => {
                let server = MongoServer::start()?;
                let (url, database) = (server.url(), server.new_database());
                let database =
                    format!("{{ provider = \"mongodb\", url = \"{url}\", database = \"{database}\" }}");
                Side { name, database, server: Server::Mongodb { _server: server }, wire: None }
            }
        })
    }

    /// Its part of `truststream.toml`.
    pub fn settings(&self) -> String {
        let (name, database) = (self.name, &self.database);
        format!(
            "[backend.{name}]\ndatabase = {database}\nstorage = {{ provider = \"fs\", root = \"{name}-objects\" }}\n\n"
        )
    }

    /// The server that can be crashed.
    pub fn server(&mut self) -> Option<&mut PostgresServer> {
        match &mut self.server {
            Server::Postgres(server) => Some(server),
            Server::None | Server::Mongodb { .. } => None,
        }
    }

    /// Changes what the wire to its server does.
    pub fn set_wire(&self, condition: Condition) -> Result<()> {
        let Some(wire) = &self.wire else { bail!("there is no wire to {}", self.name) };
        wire.set(condition);
        Ok(())
    }
}
