//! The engines, and where a backend on each of them is.

use std::path::Path;

use tempfile::TempDir;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_conformance::scratch;

/// What a backend's database runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
    Mongodb,
    Memory,
}

impl Engine {
    /// Whether it runs functions and triggers.
    pub fn has_triggers(self) -> bool {
        self != Engine::Mongodb
    }
}

/// The servers that backends live on.
pub struct Servers {
    postgres: Option<PostgresServer>,
    mongodb: Option<MongoServer>,
    folder: TempDir,
}

impl Servers {
    /// Those that these engines need.
    pub fn start(engines: &[Engine]) -> Self {
        let postgres = engines.contains(&Engine::Postgres).then(|| PostgresServer::start(&[]).unwrap());
        let mongodb = engines.contains(&Engine::Mongodb).then(|| MongoServer::start().unwrap());
        Servers { postgres, mongodb, folder: scratch::folder().unwrap() }
    }

    /// Runs SQL in a database of PostgreSQL, as its owner does.
    pub fn sql(&self, database: &str, sql: &str) {
        self.postgres.as_ref().unwrap().sql(database, sql).unwrap();
    }

    /// A backend's part of the configuration: a new database, and objects in a store of its own.
    pub fn backend(&self, name: &str, engine: Engine) -> String {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let path = |file: &str| toml_text(&folder.join(file));
        let database = match engine {
            Engine::Sqlite => format!("provider = \"sqlite\"\npath = {}", path("data.db")),
            Engine::Postgres => {
                let url = self.postgres.as_ref().unwrap().new_database().unwrap();
                format!("provider = \"postgres\"\nurl = \"{url}\"")
            }
            Engine::Mongodb => {
                let server = self.mongodb.as_ref().unwrap();
                let (url, database) = (server.url(), server.new_database());
                format!(
                    "provider = \"mongodb\"\nurl = \"{url}\"\ndatabase = \"{database}\"\nconnect_timeout_s = 120"
                )
            }
            Engine::Memory => "provider = \"memory\"".to_owned(),
        };
        let objects = match engine {
            Engine::Memory => "provider = \"memory\"".to_owned(),
            _ => format!("provider = \"fs\"\nroot = {}", path("objects")),
        };
        format!("[backend.{name}.database]\n{database}\n[backend.{name}.storage]\n{objects}\n")
    }
}

fn toml_text(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
