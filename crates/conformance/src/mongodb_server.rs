//! A server for tests that speaks MongoDB's protocol: SecantusDB, in a temporary folder, on a free
//! port, gone with its value.

use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port::free_port;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub struct MongoServer {
    process: Child,
    port: u16,
    databases: AtomicU32,
    folder: TempDir,
}

impl MongoServer {
    /// Starts a server.
    ///
    /// # Errors
    /// When SecantusDB is not installed, or does not answer.
    pub fn start() -> io::Result<MongoServer> {
        let folder = crate::scratch::folder()?;
        let port = free_port()?;
        let process = spawn(&folder, port)?;
        let mut server = MongoServer { process, port, databases: AtomicU32::new(0), folder };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Kills it and starts it again at the same address, with what it had stored.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        self.process = spawn(&self.folder, self.port)?;
        self.wait_until_ready()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }

    /// The port it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name of a database that is not there yet.
    pub fn new_database(&self) -> String {
        format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst))
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > until || self.process.try_wait()?.is_some() {
                return Err(io::Error::other("the server does not answer"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        // It is gone already, or it is killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &TempDir, port: u16) -> io::Result<Child> {
    let program = program();
    if !program.is_file() {
        let message = format!("{} is missing: `cargo xtask setup` installs it", program.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    Command::new(program)
        .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "ERROR"])
        .arg("--storage-path")
        .arg(folder.path())
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    cache.join("truststream/secantusdb/bin/secantusd-py")
}
