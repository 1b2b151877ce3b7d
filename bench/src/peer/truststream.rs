//! TrustStream's own gateway: `truststream dev` on its embedded backend.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::{Peer, Target, first_line, migration, write};
use crate::http::dialect::Dialect;

/// The binary under test, and the configuration that its project gets, if any.
pub struct TrustStream {
    binary: PathBuf,
    config: Option<PathBuf>,
}

/// The line that `dev --json` prints when it is ready.
#[derive(Deserialize)]
struct Ready {
    api_url: String,
    anon_key: String,
}

impl TrustStream {
    /// Tests this binary, configured by `config` or not at all.
    pub fn new(binary: PathBuf, config: Option<PathBuf>) -> Self {
        Self { binary, config }
    }
}

impl Peer for TrustStream {
    fn name(&self) -> &'static str {
        "TrustStream"
    }

    fn settings(&self) -> &'static str {
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
        write(&folder.join("migrations/20260101000000_agents.sql"), &migration())
    }

    fn serve(&self, folder: &Path, _address: SocketAddr) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("dev").arg("--project").arg(folder).args(["--port", "0", "--json"]).current_dir(folder);
        command
    }

    fn announces(&self) -> bool {
        true
    }

    fn target(&self, _address: SocketAddr, announcement: Option<&str>) -> Result<Target> {
        let line = announcement.context("no ready line")?;
        let ready: Ready =
            serde_json::from_str(line).with_context(|| format!("not the ready line: {line}"))?;
        let host = ready.api_url.trim_start_matches("http://").trim_end_matches('/');
        let address = host.parse().with_context(|| format!("not an address: {}", ready.api_url))?;
        Ok(Target { address, dialect: Dialect::PostgRest { key: ready.anon_key } })
    }
}
