//! A real PostgreSQL server for tests: in a temporary folder, on a free port, gone with its value.

use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port::free_port;

/// A running server. Its databases are reached as the superuser `postgres` without a password.
pub struct PostgresServer {
    process: Child,
    port: u16,
    programs: PathBuf,
    settings: Vec<String>,
    databases: AtomicU32,
    folder: TempDir,
}

impl PostgresServer {
    /// Starts a server with the settings of tests (no fsync) and `settings` (`wal_level=logical`).
    ///
    /// # Errors
    /// When no PostgreSQL is installed, or it does not start.
    pub fn start(settings: &[&str]) -> io::Result<PostgresServer> {
        let programs = programs()?;
        let folder = crate::scratch::folder()?;
        let data = folder.path().join("data");
        let mut own = Command::new("chown");
        if is_root()? {
            check(own.arg("nobody").arg(folder.path()), "chown")?;
        }
        let mut init = as_user(&programs.join("initdb"))?;
        let options = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C", "-D"];
        check(init.args(options).arg(&data).stdout(Stdio::null()), "initdb")?;
        let port = free_port()?;
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = spawn(&programs, folder.path(), port, &settings)?;
        let databases = AtomicU32::new(0);
        let mut server = PostgresServer { process, port, programs, settings, databases, folder };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// The server that the tests of a run share. It goes with the thread that starts it, so that is none
    /// of a test's; that thread ends with the run.
    ///
    /// # Panics
    /// When it does not start.
    pub fn of_the_run() -> &'static PostgresServer {
        static SERVER: OnceLock<PostgresServer> = OnceLock::new();
        SERVER.get_or_init(|| {
            let (sender, started) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                let _ = sender.send(PostgresServer::start(&[]));
                loop {
                    std::thread::park();
                }
            });
            match started.recv() {
                Ok(Ok(server)) => server,
                failed => panic!("PostgreSQL did not start: {:?}", failed.map(|started| started.err())),
            }
        })
    }

    /// Ends it without a shutdown: connections break, and what was committed is in its log only; all
    /// of that only if it was started with `synchronous_commit=on`.
    ///
    /// # Errors
    /// When it can't be reached by a signal.
    pub fn crash(&mut self) -> io::Result<()> {
        self.quit()?;
        self.process.wait().map(drop)
    }

    /// Starts it again at the same address, after a crash; it recovers what was committed.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.process = spawn(&self.programs, self.folder.path(), self.port, &self.settings)?;
        self.wait_until_ready()
    }

    /// An immediate shutdown. `setpriv` becomes the server, so this is the server's own process.
    fn quit(&self) -> io::Result<()> {
        check(Command::new("kill").args(["-QUIT", &self.process.id().to_string()]), "kill")
    }

    /// The URL of a new, empty database.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new_database(&self) -> io::Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("create database {name} template template0 locale 'C.UTF-8'"))?;
        Ok(self.url(&name))
    }

    /// Removes a database, whoever is connected to it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn drop_database(&self, name: &str) -> io::Result<()> {
        self.sql("postgres", &format!("drop database {name} with (force)")).map(drop)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL with `psql` and returns what it prints, unaligned and without headers.
    ///
    /// # Errors
    /// When a statement fails.
    pub fn sql(&self, database: &str, sql: &str) -> io::Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-v", "ON_ERROR_STOP=1", "-qAtX", "-c", sql])
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let listening = TcpStream::connect(("127.0.0.1", self.port)).is_ok();
            if listening && self.sql("postgres", "select 1").is_ok() {
                return Ok(());
            }
            if self.process.try_wait()?.is_some() || start.elapsed() > Duration::from_secs(60) {
                return Err(io::Error::other(std::fs::read_to_string(self.folder.path().join("log"))?));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.quit().is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

fn spawn(programs: &Path, folder: &Path, port: u16, settings: &[String]) -> io::Result<Child> {
    let mut server = as_user(&programs.join("postgres"))?;
    server.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    server.args(["-c", &format!("unix_socket_directories={}", folder.display())]);
    // Queries of catalogs look dear to a planner that knows no tables yet, and would be compiled.
    let fixed = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"];
    let fixed = fixed.into_iter().chain(["jit=off", "autovacuum=off", "max_wal_size=128MB"]);
    for setting in fixed.chain(settings.iter().map(String::as_str)) {
        server.args(["-c", setting]);
    }
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log"))?;
    server.stdout(Stdio::null()).stderr(log).spawn()
}

fn check(command: &mut Command, what: &str) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{what} failed: {status}"))) }
}

fn is_root() -> io::Result<bool> {
    Ok(Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0")
}

/// A command that does not run as root, which PostgreSQL refuses.
fn as_user(program: &Path) -> io::Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL"]).arg(program);
    command.current_dir("/");
    Ok(command)
}

/// The folder of `postgres` and `initdb`: from the path, or where Debian keeps them.
fn programs() -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
        .into_iter()
        .find(|folder| ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).exists()))
        .ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "no PostgreSQL (initdb, postgres, psql) was found")
        })
}
