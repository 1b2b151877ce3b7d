//! Parse Server in Node, on PostgreSQL.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::{Engine, Peer, Target, write};
use crate::http::dialect::Dialect;
use crate::install;

const VERSION: &str = "9.10.0";
/// One that it supports, the same everywhere.
const NODE: &str = "22.23.3";
const PROGRAM: &str = include_str!("parse_server.js");

/// Parse Server, from npm.
pub struct ParseServer {
    cache: PathBuf,
    modules: PathBuf,
    database: String,
}

impl ParseServer {
    /// Installs below `cache`; keeps its rows in an empty `database`.
    pub fn new(cache: PathBuf, database: String) -> Self {
        Self { cache, modules: PathBuf::new(), database }
    }
}

impl Peer for ParseServer {
    fn name(&self) -> &'static str {
        "Parse Server"
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn settings(&self) -> &'static str {
        "one process of Node on PostgreSQL; the application's id, compared; class-level permissions for everybody; \
         its own `objectId`; replies to inserts hold no more than id and time"
    }

    fn install(&mut self) -> Result<String> {
        let packages = [&format!("parse-server@{VERSION}") as &str, &format!("node@{NODE}")];
        self.modules = install::npm(&self.cache, &format!("parse-server-{VERSION}"), &packages)?;
        Ok(format!("parse-server {VERSION} on Node {NODE}"))
    }

    fn lay_out(&self, folder: &Path, _address: SocketAddr) -> Result<()> {
        write(&folder.join("server.js"), PROGRAM)
    }

    fn serve(&self, folder: &Path, address: SocketAddr) -> Command {
        let mut command = Command::new(self.modules.join("node/bin/node"));
        command.arg("server.js").arg(address.port().to_string()).arg(&self.database).current_dir(folder);
        command.env("NODE_PATH", &self.modules).env("NODE_ENV", "production");
        command
    }

    fn target(&self, address: SocketAddr, _announcement: Option<&str>) -> Result<Target> {
        Ok(Target { address, dialect: Dialect::Parse })
    }
}
