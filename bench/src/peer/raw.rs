//! The raw driver behind axum: this very binary, serving by hand-written statements.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use super::{Engine, Peer, Target};
use crate::http::dialect::Dialect;
use crate::raw::token;

/// What the tokens of callers are signed with, for the time of a run.
const KEY: &str = "a key for callers of the benchmark only";

/// On SQLite, or on a server of this URL.
pub struct Raw {
    engine: Engine,
    url: String,
    for_callers: bool,
}

impl Raw {
    pub fn on_sqlite() -> Self {
        Self { engine: Engine::Sqlite, url: String::new(), for_callers: false }
    }

    pub fn on(engine: Engine, url: String) -> Self {
        Self { engine, url, for_callers: false }
    }

    /// On PostgreSQL, doing for each request what TrustStream has to: the token is verified, the statement
    /// runs as its role and with its claims, under row-level policies.
    pub fn for_callers(url: String) -> Self {
        Self { engine: Engine::Postgres, url, for_callers: true }
    }
}

impl Peer for Raw {
    fn name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "axum + rusqlite",
            Engine::Postgres if self.for_callers => "axum + tokio-postgres, for callers",
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
            Engine::Postgres if self.for_callers => {
                "hand-written statements for these requests only, prepared, on ten connections; a JWT verified for \
                 each request, a transaction with its role and claims, sent at once; row-level policies `using (true)`"
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
        if self.for_callers {
            command.args(["--callers", KEY]);
        }
        command
    }

    fn target(&self, address: SocketAddr, _announcement: Option<&str>) -> Result<Target> {
        let key = if self.for_callers { token(KEY)? } else { String::new() };
        Ok(Target { address, dialect: Dialect::PostgRest { key } })
    }

    fn embeds(&self) -> bool {
        true
    }
}
