//! TrustStream's own gateway: `truststream dev` on its embedded backend.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::{Engine, Peer, Target, first_line, migration, write};
use crate::data::{CHILDREN, MISSIONS, STEPS};
use crate::http::dialect::Dialect;

/// The binary under test, and the configuration that its project gets, if any.
pub struct TrustStream {
    binary: PathBuf,
    config: Option<PathBuf>,
    engine: Engine,
    url: String,
}

/// The tables below the agents, open like them.
fn children() -> String {
    let open = |table: &str| {
        format!(
            "alter table {table} enable row level security;\n\
             create policy {table}_read on {table} for select to anon using (true);\n\
             create policy {table}_add on {table} for insert to anon with check (true);\n"
        )
    };
    CHILDREN.to_owned() + &open(MISSIONS) + &open(STEPS)
}

/// The line that `dev --json` prints when it is ready.
#[derive(Deserialize)]
pub struct Ready {
    api_url: String,
    pub anon_key: String,
    pub service_role_key: String,
}

impl Ready {
    /// Where it answers.
    pub fn address(&self) -> Result<SocketAddr> {
        let host = self.api_url.trim_start_matches("http://").trim_end_matches('/');
        host.parse().with_context(|| format!("not an address: {}", self.api_url))
    }
}

impl TrustStream {
    /// Tests this binary, configured by `config` or not at all.
    pub fn new(binary: PathBuf, config: Option<PathBuf>) -> Self {
        Self { binary, config, engine: Engine::Sqlite, url: String::new() }
    }

    /// The same on a database of another engine.
    pub fn on(binary: PathBuf, engine: Engine, url: String) -> Self {
        Self { binary, config: None, engine, url }
    }
}

impl Peer for TrustStream {
    fn name(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "TrustStream",
            Engine::Postgres => "TrustStream on PostgreSQL",
            Engine::Mongo => "TrustStream on MongoDB",
        }
    }

    fn engine(&self) -> Engine {
        self.engine
    }

    fn settings(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => {}
            Engine::Postgres => {
                return "on PostgreSQL as it ships; the anonymous key, a JWT verified for each request; row-level \
                        policies `using (true)`, which PostgreSQL checks";
            }
            Engine::Mongo => {
                return "the anonymous key, a JWT verified for each request; row-level policies `using (true)`; \
                        inserts are transactions";
            }
        }
        if self.config.is_some() {
            return "configured by `--truststream-config`; the anonymous key, a JWT verified for each request; \
                    row-level policies `using (true)`";
        }
        "embedded SQLite as it ships (WAL, synchronous=FULL: an acknowledged write survives power loss); \
         the anonymous key, a JWT verified for each request; row-level policies `using (true)`"
    }

    fn install(&mut self) -> Result<String> {
        if !self.binary.is_file() {
            let shown = self.binary.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&self.binary);
            bail!("no binary at {} (build it with `cargo build --release`)", shown.display());
        }
        // The server runs in its project's folder, where a relative path would lead elsewhere.
        self.binary = self.binary.canonicalize()?;
        first_line(std::process::Command::new(&self.binary).arg("--version"))
    }

    fn lay_out(&self, folder: &Path, _address: SocketAddr) -> Result<()> {
        if let Some(config) = &self.config {
            let text =
                std::fs::read_to_string(config).with_context(|| format!("reading {}", config.display()))?;
            write(&folder.join("truststream.toml"), &text)?;
        }
        let provider = match self.engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some("postgres"),
            Engine::Mongo => Some("mongodb"),
        };
        if let Some(provider) = provider {
            let url = &self.url;
            let text = format!(
                "active = \"main\"\n[backend.main]\ndatabase = {{ provider = {provider:?}, url = {url:?} }}\n\
                 storage = {{ provider = \"memory\" }}\nauth = {{ provider = \"native\" }}\n"
            );
            write(&folder.join("truststream.toml"), &text)?;
        }
        write(&folder.join("migrations/20260101000000_agents.sql"), &(migration() + &children()))
    }

    fn serve(&self, folder: &Path, _address: SocketAddr) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("dev").arg("--project").arg(folder).args(["--port", "0", "--json"]).current_dir(folder);
        command
    }

    fn embeds(&self) -> bool {
        true
    }

    fn announces(&self) -> bool {
        true
    }

    fn target(&self, _address: SocketAddr, announcement: Option<&str>) -> Result<Target> {
        let line = announcement.context("no ready line")?;
        let ready: Ready =
            serde_json::from_str(line).with_context(|| format!("not the ready line: {line}"))?;
        Ok(Target { address: ready.address()?, dialect: Dialect::PostgRest { key: ready.anon_key } })
    }
}
