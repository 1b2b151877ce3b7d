//! A PostgreSQL server of this test run's own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;

/// A PostgreSQL server.
pub struct Server {
    port: u16,
    // Kept so that the folder lives as long as the server.
    folder: tempfile::TempDir,
    _process: Process,
}

impl Server {
    /// The URL of its first database.
    pub fn url(&self) -> String {
        url(self.port, "postgres")
    }

    /// The folder of its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Stops the server at once, as a crash would, and starts it again.
    pub fn restart(&self) {
        let status = command(&binaries().join("pg_ctl"), is_root())
            .args(["restart", "-s", "-w", "-m", "immediate", "-D"])
            .arg(self.data())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "PostgreSQL did not start again");
    }
}

/// Stops the server when the test run ends, also when a test panics: the server watches its parent
/// through the pipe it reads from.
struct Process(#[allow(dead_code)] Child);

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database.
pub async fn database() -> String {
    let server = SERVER.get_or_init(start);
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let (client, connection) = tokio_postgres::connect(&url(server.port, "postgres"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.unwrap();
    url(server.port, &name)
}

/// A plain client of a database.
pub async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn url(port: u16, database: &str) -> String {
    format!("postgresql://postgres@127.0.0.1:{port}/{database}")
}

/// A server of its own: to be stopped, or set up in another way.
pub fn start() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let root = is_root();
    if root {
        for path in [folder.path(), &data] {
            assert!(Command::new("chown").arg("postgres").arg(path).status().unwrap().success());
        }
    }
    let binaries = binaries();
    let status = command(&binaries.join("initdb"), root)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "initdb failed");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = format!(
        "{} -D {} -p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 & \
         read -r _; kill -INT $(head -n 1 {}/postmaster.pid); wait; rm -rf {}",
        binaries.join("postgres").display(),
        data.display(),
        folder.path().display(),
        data.display(),
        folder.path().display()
    );
    let process = command(Path::new("/bin/sh"), root)
        .args(["-c", &server])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "PostgreSQL did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    // It listens a moment before it answers.
    std::thread::sleep(Duration::from_millis(300));
    Server { port, folder, _process: Process(process) }
}

/// PostgreSQL refuses to run as root.
fn command(program: &Path, root: bool) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command.env("HOME", "/tmp").current_dir("/tmp");
    command
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.starts_with(b"0")
}

fn binaries() -> PathBuf {
    if let Ok(folder) = std::env::var("POSTGRES_BIN") {
        return folder.into();
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| "/usr/local/bin".into())
}
