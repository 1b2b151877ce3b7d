//! Gateways as an operator runs them: a process each, started, asked, killed and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::process::Command;

use super::data::MIGRATION;
use crate::peer::{Ready, write};
use crate::process::Server;

/// Longest that a switch may take.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// A gateway and its project.
pub struct Project {
    binary: PathBuf,
    folder: TempDir,
    server: Option<Server>,
    pub address: SocketAddr,
    pub key: String,
}

impl Project {
    /// Starts the binary on a new project with this configuration.
    pub async fn start(binary: &Path, settings: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        write(&folder.path().join("truststream.toml"), settings)?;
        write(&folder.path().join("supabase/migrations/20260101000000_items.sql"), MIGRATION)?;
        let binary = binary.canonicalize().with_context(|| format!("no binary at {}", binary.display()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut project = Project { binary, folder, server: None, address, key: String::new() };
        project.again().await?;
        Ok(project)
    }

    /// Starts it, or starts it again; it keeps its port.
    pub async fn again(&mut self) -> Result<()> {
        let port = self.address.port().to_string();
        let command = self.command(&["dev", "--port", &port]);
        let (server, line) = Server::start(command, &self.folder.path().join("log"), true).await?;
        let line = line.context("no ready line")?;
        let ready: Ready =
            serde_json::from_str(&line).with_context(|| format!("not the ready line: {line}"))?;
        (self.address, self.key) = (ready.address()?, ready.service_role_key);
        self.server = Some(server);
        Ok(())
    }

    /// Ends it without a warning.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        Ok(())
    }

    /// The folder of the project.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process.
    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("it does not run")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(["--json", "--project"]).arg(self.folder.path());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command of the binary and returns what it prints.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Json> {
        let output = self.command(arguments).output().await?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!("truststream {}: {}\n{}", arguments.join(" "), text.trim(), self.log());
        }
        let last = output.stdout.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
        serde_json::from_slice(last.unwrap_or(b"null")).context("not JSON")
    }

    /// Where the latest switch stands.
    pub async fn standing(&self) -> Result<Json> {
        self.cli(&["switch", "status"]).await
    }

    /// Switches to a backend and returns the switch's record once that serves.
    pub async fn switch(&self, to: &str, options: &[&str]) -> Result<Json> {
        self.cli(&[&["switch", "start", to, "--detach"], options].concat()).await?;
        self.reach("committed").await
    }

    /// Waits until the latest switch has come to a phase.
    pub async fn reach(&self, phase: &str) -> Result<Json> {
        let began = Instant::now();
        loop {
            // A machine that flushes ten million rows may keep the control store waiting.
            let shown = match self.standing().await {
                Err(error) if began.elapsed() > PATIENCE => return Err(error),
                Err(_) => Json::Null,
                Ok(shown) => shown,
            };
            let (record, reached) = (&shown["record"], shown["record"]["phase"].as_str().unwrap_or_default());
            if reached == phase {
                return Ok(record.clone());
            }
            if reached == "aborted" || began.elapsed() > PATIENCE {
                bail!("the switch is {reached}: {}", record["report"]["failure"]);
            }
            // Asking starts a process, on the cores that are measured.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(10)..].join("\n")
    }
}

/// When a switch began a phase, in milliseconds since 1970.
pub fn began(record: &Json, phase: &str) -> Option<f64> {
    let entries = record["history"].as_array()?;
    entries.iter().find(|entry| entry[0] == phase)?[1].as_f64()
}
