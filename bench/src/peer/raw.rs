//! The raw driver behind axum: this very binary, serving by hand-written statements.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use super::{Peer, Target};
use crate::http::dialect::Dialect;

/// On SQLite, or on a PostgreSQL database of this URL.
pub struct Raw {
    postgres: Option<String>,
}

impl Raw {
    pub fn on_sqlite() -> Self {
        Self { postgres: None }
    }

    pub fn on_postgres(url: String) -> Self {
        Self { postgres: Some(url) }
    }
}

impl Peer for Raw {
    fn name(&self) -> &'static str {
        if self.postgres.is_some() { "axum + tokio-postgres" } else { "axum + rusqlite" }
    }

    fn settings(&self) -> &'static str {
        "hand-written statements for these requests only, prepared; WAL and synchronous=FULL on SQLite, ten \
         connections on PostgreSQL; no callers, no keys, no policies"
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
        match &self.postgres {
            Some(url) => command.arg("--postgres").arg(url),
            None => command.arg("--sqlite").arg(folder.join("raw.db")),
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
