//! The kinds of backend a switch is run between.

use anyhow::Result;
use clap::ValueEnum;
use truststream_conformance::postgres_server::PostgresServer;

/// An engine that a backend's database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// One side of the switch, with its own server if it needs one.
pub struct Side {
    name: &'static str,
    database: String,
    server: Option<PostgresServer>,
}

impl Side {
    /// A side whose backend is called `name`.
    pub fn start(name: &'static str, engine: Engine) -> Result<Self> {
        Ok(match engine {
            Engine::Sqlite => {
                let database = format!("{{ provider = \"sqlite\", path = \"{name}.db\" }}");
                Side { name, database, server: None }
            }
            Engine::Postgres => {
                // What was acknowledged survives a crash of the server.
                let server = PostgresServer::start(&["synchronous_commit=on"])?;
                let url = server.new_database()?;
                let database = format!("{{ provider = \"postgres\", url = \"{url}\" }}");
                Side { name, database, server: Some(server) }
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
        self.server.as_mut()
    }
}
