//! The kinds of backend a switch is run between.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use truststream_conformance::mongodb_server::MongoServer;
use truststream_conformance::postgres_server::PostgresServer;

use crate::disk::Disk;
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
    disk: Option<Disk>,
}

enum Server {
    None,
    Postgres(PostgresServer),
    // Kept so that it lives as long as the side.
    Mongodb { _server: MongoServer },
}

impl Side {
    /// A side whose backend is called `name`, reached at an address of this machine, on a disk of its
    /// own if there is one.
    pub async fn start(name: &'static str, engine: Engine, at: Ipv4Addr, disk: Option<Disk>) -> Result<Self> {
        Ok(match engine {
            Engine::Sqlite => {
                let file = PathBuf::from(format!("{name}.db"));
                let path = disk.as_ref().map_or(file.clone(), |disk| disk.path().join(file));
                let database = format!("{{ provider = \"sqlite\", path = \"{}\" }}", path.display());
                Side { name, database, server: Server::None, wire: None, disk }
            }
            Engine::Postgres => {
                // What was acknowledged survives a crash of the server.
                let server = PostgresServer::start(&["synchronous_commit=on"])?;
                let wire = Wire::to(server.port(), at).await?;
                let url = match &disk {
                    Some(disk) => new_database_on(&server, disk)?,
                    None => server.new_database()?,
                };
                let url = wire.leads_to(&url);
                let database = format!("{{ provider = \"postgres\", url = \"{url}\" }}");
                Side { name, database, server: Server::Postgres(server), wire: Some(wire), disk }
            }
            Engine::Mongodb => {
                let server = MongoServer::start()?;
                let wire = Wire::to(server.port(), at).await?;
                let (url, database) = (wire.leads_to(&server.url()), server.new_database());
                let database =
                    format!("{{ provider = \"mongodb\", url = \"{url}\", database = \"{database}\" }}");
                Side { name, database, server: Server::Mongodb { _server: server }, wire: Some(wire), disk }
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

    /// The disk that can be full.
    pub fn disk(&self) -> Result<&Disk> {
        self.disk.as_ref().with_context(|| format!("{} has no disk of its own", self.name))
    }

    /// Changes what the wire to its server does.
    pub fn set_wire(&self, condition: Condition) -> Result<()> {
        let Some(wire) = &self.wire else { bail!("there is no wire to {}", self.name) };
        wire.set(condition);
        Ok(())
    }
}

/// The URL of a new database whose tables lie on a disk.
fn new_database_on(server: &PostgresServer, disk: &Disk) -> Result<String> {
    let (path, name) = (disk.path().join("space"), "small");
    std::fs::create_dir(&path)?;
    // The server does not run as root.
    let owned = std::process::Command::new("chown").arg("nobody").arg(&path).status()?;
    if !owned.success() {
        bail!("{} can't be given to the server", path.display());
    }
    server.sql("postgres", &format!("create tablespace {name} location '{}'", path.display()))?;
    let create = format!("create database {name} template template0 locale 'C.UTF-8' tablespace {name}");
    server.sql("postgres", &create)?;
    Ok(server.url(name))
}
