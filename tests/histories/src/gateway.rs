//! The real binary on a project of its own, as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use truststream_conformance::port::free_port;

use crate::clock::Clock;
use crate::namespaces::Home;

const PATIENCE: Duration = Duration::from_secs(120);

/// Settings that the clients need: they refresh their sessions more often than people do.
const SUPABASE: &str = "[auth.rate_limit]\ntoken_refresh = 30000\nsign_in_sign_ups = 30000\n";

/// How switches are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    BlueGreen,
    Immediate,
    /// Part by part.
    Gradual,
}

impl Strategy {
    /// What it is asked for with: reads are moved faster than people would.
    fn options(self) -> &'static [&'static str] {
        match self {
            Strategy::BlueGreen => &["--strategy", "blue-green"],
            Strategy::Immediate => &["--strategy", "immediate"],
            Strategy::Gradual => &["--strategy", "gradual", "--shadow", "50", "--read-step", "50"],
        }
    }
}

/// What is tested.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub binary: &'a Path,
    pub strategy: Strategy,
    /// The mistake that it makes on purpose.
    pub mutation: Option<&'a str>,
    /// The step at which it ends, the first time that it runs.
    pub end_at: Option<&'a str>,
    /// The step at which it stands still, the first time that it runs.
    pub stop_at: Option<&'a str>,
    /// Whether its time of day can be made to jump.
    pub jumps: bool,
}

/// A gateway that can be ended in every way and started again at the same address.
pub struct Gateway {
    binary: PathBuf,
    strategy: Strategy,
    mutation: Option<String>,
    end_at: Option<String>,
    stop_at: Option<String>,
    clock: Option<Clock>,
    home: Home,
    /// What brings clients to where it runs.
    _relay: Option<Child>,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
    pub service_key: String,
    pub anon_key: String,
}

impl Gateway {
    /// Starts the binary on a new project with this configuration and schema.
    pub async fn start(subject: Subject<'_>, home: Home, settings: &str, migration: &str) -> Result<Self> {
        let folder = truststream_conformance::scratch::folder()?;
        std::fs::create_dir_all(folder.path().join("supabase/migrations"))?;
        std::fs::write(folder.path().join("supabase/config.toml"), SUPABASE)?;
        std::fs::write(folder.path().join("supabase/migrations/20260101000000_first.sql"), migration)?;
        std::fs::write(folder.path().join("truststream.toml"), settings)?;
        let port = free_port()?;
        let binary = subject.binary.to_owned();
        let mutation = subject.mutation.map(str::to_owned);
        let end_at = subject.end_at.map(str::to_owned);
        let (service_key, anon_key) = (String::new(), String::new());
        let strategy = subject.strategy;
        let stop_at = subject.stop_at.map(str::to_owned);
        let clock = subject.jumps.then(|| Clock::of(folder.path())).transpose()?;
        let (child, _relay) = (None, None);
        let mut gateway = Gateway {
            binary,
            strategy,
            mutation,
            end_at,
            stop_at,
            clock,
            home,
            _relay,
            folder,
            port,
            child,
            service_key,
            anon_key,
        };
        gateway.restart().await?;
        if !gateway.home.is_here() {
            gateway._relay = Some(gateway.relayed()?);
        }
        Ok(gateway)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.home.address, self.port)
    }

    /// It listens on addresses of its own namespace only, so that somebody has to be there who is
    /// reached from outside.
    fn relayed(&self) -> Result<Child> {
        let mut command = self.at_home(&std::env::current_exe()?);
        let (near, far) =
            (format!("{}:{}", self.home.address, self.port), format!("127.0.0.1:{}", self.port));
        Ok(command.args(["relay", &near, &far]).kill_on_drop(true).spawn()?)
    }

    /// A program, where this gateway runs.
    fn at_home(&self, program: &Path) -> Command {
        let Some((first, others)) = self.home.enter.split_first() else { return Command::new(program) };
        let mut command = Command::new(first);
        command.args(others).arg(program);
        command
    }

    /// Starts it again, after it was killed.
    pub async fn restart(&mut self) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = self.command(&["dev", "--port", &self.port.to_string()]);
        if let Some(step) = self.end_at.take() {
            command.env("TRUSTSTREAM_END_AT", step);
        }
        if let Some(step) = self.stop_at.take() {
            command.env("TRUSTSTREAM_STOP_AT", step);
        }
        command.envs(self.clock.iter().flat_map(Clock::environment));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| self.binary.display().to_string())?;
        let output = child.stdout.take().context("no output")?;
        let line = timeout(PATIENCE, BufReader::new(output).lines().next_line()).await;
        let Ok(Ok(Some(line))) = line else { bail!("the gateway did not start:\n{}", self.log()) };
        let ready: Json = serde_json::from_str(&line)?;
        self.service_key = ready["service_role_key"].as_str().context("no key")?.to_owned();
        self.anon_key = ready["anon_key"].as_str().context("no key")?.to_owned();
        self.child = Some(child);
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))))
    }

    /// Ends it without a warning.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Stops it for a while, as a machine does that is out of memory or being moved.
    pub async fn freeze(&self, time: Duration) -> Result<()> {
        signal("-STOP", &self.id()?).await?;
        tokio::time::sleep(time).await;
        self.go_on().await
    }

    /// Has its time of day be so many seconds off from now on.
    pub fn jump(&self, seconds: i64) -> Result<()> {
        self.clock.as_ref().context("its time of day is the machine's")?.jump(seconds)
    }

    /// Has it go on that stands still.
    pub async fn go_on(&self) -> Result<()> {
        signal("-CONT", &self.id()?).await
    }

    /// Whether it stands still.
    pub fn stands_still(&self) -> bool {
        let status = self.id().ok().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/stat")).ok());
        // The state comes after the name, which is in parentheses.
        status.is_some_and(|status| status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    }

    fn id(&self) -> Result<String> {
        Ok(self.child.as_ref().and_then(Child::id).context("it does not run")?.to_string())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.at_home(&self.binary);
        command.args(arguments).args(["--json", "--project"]).arg(self.folder.path());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TRUSTSTREAM_")) {
            command.env_remove(name);
        }
        if let Some(mutation) = &self.mutation {
            command.env("TRUSTSTREAM_MUTATION", mutation);
        }
        command
    }

    /// Runs a command of the binary and returns what it prints.
    pub async fn cli(&self, arguments: &[&str]) -> Result<Json> {
        let output = timeout(PATIENCE, self.command(arguments).output()).await??;
        if !output.status.success() {
            bail!("truststream {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Starts a command and goes away before it is done.
    pub async fn cli_gone(&self, arguments: &[&str], after: Duration) -> Result<()> {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        tokio::time::sleep(after).await;
        child.kill().await?;
        Ok(())
    }

    /// Asks for a switch to the other side, and does not wait for it. Where a mistake is made on purpose
    /// both sides are not compared, so that only what clients see can tell.
    pub async fn switch(&self, options: &[&str]) -> Result<Json> {
        let verify = if self.mutation.is_some() { "none" } else { "full" };
        let start = ["switch", "start", "cloud", "--detach", "--chunk", "200", "--verify", verify];
        self.cli(&[&start[..], self.strategy.options(), options].concat()).await
    }

    /// Phase of the latest switch and who owns the route.
    pub async fn standing(&self) -> Result<(String, String)> {
        let status = self.cli(&["status"]).await?;
        let phase = status["switch"]["phase"].as_str().unwrap_or("none").to_owned();
        Ok((phase, status["route"]["owner"].as_str().context("no owner")?.to_owned()))
    }

    /// Whether it has logged this.
    pub fn has_logged(&self, what: &str) -> bool {
        std::fs::read_to_string(self.folder.path().join("log")).is_ok_and(|log| log.contains(what))
    }

    /// The end of what it logged.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

async fn signal(signal: &str, id: &str) -> Result<()> {
    let status = Command::new("kill").args([signal, id]).status().await?;
    if status.success() { Ok(()) } else { bail!("kill {signal} {id} failed") }
}
