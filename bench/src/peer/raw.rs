//! The raw driver behind axum: this very binary, serving by hand-written statements.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use super::{Engine, Peer, Target};
use crate::http::dialect::Dialect;

/// On SQLite, or on a server of this URL.
pub struct Raw {
    engine: Engine,
    url: String,
}

impl Raw {
    pub fn on_sqlite() -> Self {
        Self { engine: Engine::Sqlite, url: String::new() }
    }

    pub fn on(engine: Engine, url: String) -> Self {
        Self { engine, url }
    }
}

impl Peer for Raw {
    fn name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "axum + rusqlite",
            Engine::Postgres => "axum + tokio-postgres",
            Engine::Mongo => "axum + mongodb",
        }
    }

    fn engine(&self) -> Engine {
        self.engine
    }

    fn settings(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => {
                "hand-written statements for these requests only, prepared; WAL and synchronous=FULL; no callers, no \
                 keys, no policies"
            }
            Engine::Postgres => {
                "hand-written statements for these requests only, prepared, on ten connections; no callers, no keys, \
                 no policies"
            }
            Engine::Mongo => {
                "hand-written queries for these requests only, the driver's own pool; writes with the server's \
                 default concern; no callers, no keys, no policies"
            }
        }
    }

    fn install(&mut self) -> Result<String> {
        Ok(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn lay_out(&self, _folder: &Path, _address: SocketAddr) -> Result<()> {
        Ok(())
    }

    fn serve(&self, folder: &Path, address: SocketAddr) -> Command {
        let own = std::env::current_exe().unwrap_or_else(|_| "truststream-bench".into());
        let mut command = Command::new(own);
        command.arg("raw").arg("--address").arg(address.to_string());
        match self.engine {
            Engine::Sqlite => command.arg("--sqlite").arg(folder.join("raw.db")),
            Engine::Postgres => command.arg("--postgres").arg(&self.url),
            Engine::Mongo => command.arg("--mongodb").arg(&self.url),
        };
        command
    }

    fn target(&self, address: SocketAddr, _announcement: Option<&str>) -> Result<Target> {
        Ok(Target { address, dialect: Dialect::PostgRest { key: String::new() } })
    }

    fn embeds(&self) -> bool {
        true
    }
}
