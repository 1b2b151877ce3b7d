//! A PostgreSQL server of this test run's own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::NoTls;
use truststream_conformance::passing::Passing;
use truststream_conformance::port::free_port;

/// How long what has to happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
        self.control(&["restart", "-s", "-w", "-m", "immediate"]);
    }

    /// Stops the server at once.
    pub fn stop(&self) {
        self.control(&["stop", "-s", "-w", "-m", "immediate"]);
    }

    fn control(&self, what: &[&str]) {
        let status = command(&binaries().join("pg_ctl"), is_root())
            .args(what)
            .args(["-t", &PATIENCE.as_secs().to_string()])
            .arg("-D")
            .arg(self.data())
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "pg_ctl {what:?} failed");
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

/// The same for cases that run one after the other, whose databases need not be kept.
pub async fn passing_database(passing: &Passing) -> String {
    let url = database().await;
    let name = url.rsplit('/').next().unwrap_or_default();
    if let Some(old) = passing.take(name.to_owned()) {
        let server = SERVER.get_or_init(start);
        let client = client(&server.url()).await;
        client.batch_execute(&format!("drop database {old} with (force)")).await.unwrap();
    }
    url
}

/// A plain client of a database.
pub async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Asks until it is so.
pub async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether the server runs a statement with these words for somebody else.
pub async fn runs(watcher: &tokio_postgres::Client, words: &str) -> bool {
    let sql = "select count(*) from pg_stat_activity where datname = current_database()
               and strpos(query, $1) > 0 and state = 'active' and pid <> pg_backend_pid()";
    watcher.query_one(sql, &[&words]).await.unwrap().get::<_, i64>(0) > 0
}

/// Gives up what runs a statement with these words while the server runs it, which then has to end it.
pub async fn is_cancelled<T: std::fmt::Debug>(
    watcher: &tokio_postgres::Client,
    words: &str,
    running: impl Future<Output = T>,
) {
    tokio::select! {
        ended = running => panic!("it should still run: {ended:?}"),
        () = until("it runs", async || runs(watcher, words).await) => {}
    }
    until("it is cancelled", async || !runs(watcher, words).await).await;
}

fn url(port: u16, database: &str) -> String {
    format!("postgresql://postgres@127.0.0.1:{port}/{database}")
}

/// A server of its own: to be stopped, or set up in another way.
pub fn start() -> Server {
    let folder = truststream_conformance::scratch::folder().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let root = is_root();
    if root {
        for path in [folder.path(), &data] {
            assert!(Command::new("chown").arg("postgres").arg(path).status().unwrap().success());
        }
    }
    let status = command(&binaries().join("initdb"), root)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
        .arg(&data)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "initdb failed");
    serve(folder, &data)
}

/// A replica of a server, which streams from it.
pub fn replica_of(primary: &Server) -> Server {
    let folder = truststream_conformance::scratch::folder().unwrap();
    let data = folder.path().join("data");
    if is_root() {
        assert!(Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap().success());
    }
    let status = command(&binaries().join("pg_basebackup"), is_root())
        .args(["-h", "127.0.0.1", "-U", "postgres", "-X", "stream", "-c", "fast", "-R", "--no-sync"])
        .args(["-p", &primary.port.to_string(), "-D"])
        .arg(&data)
        .status()
        .unwrap();
    assert!(status.success(), "pg_basebackup failed");
    serve(folder, &data)
}

/// Runs a server on the data in a folder.
fn serve(folder: tempfile::TempDir, data: &Path) -> Server {
    let port = free_port().unwrap();
    let server = format!(
        "{} -D {} -p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=500 -c max_wal_size=128MB -c jit=off \
         -c autovacuum=off & \
         read -r _; kill -INT $(head -n 1 {}/postmaster.pid); wait; rm -rf {}",
        binaries().join("postgres").display(),
        data.display(),
        folder.path().display(),
        data.display(),
        folder.path().display()
    );
    let process = watched(&server);
    until_listening(port, "PostgreSQL");
    // It listens before it is ready.
    let is_ready = || {
        let asked = Command::new(binaries().join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status();
        asked.unwrap().success()
    };
    let began = Instant::now();
    while !is_ready() {
        assert!(began.elapsed() < PATIENCE, "PostgreSQL did not get ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { port, folder, _process: process }
}

/// pgbouncer in transaction mode.
pub struct Pooler {
    port: u16,
    _folder: tempfile::TempDir,
    _process: Process,
}

impl Pooler {
    /// A pooler with so many connections for each database of this test run's server.
    pub fn start(size: u32) -> Pooler {
        let server = SERVER.get_or_init(start);
        let (port, folder) = (free_port().unwrap(), truststream_conformance::scratch::folder().unwrap());
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let users = file("users", "\"postgres\" \"\"\n");
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {}\n\
             pool_mode = transaction\ndefault_pool_size = {size}\nmax_client_conn = 500\n\
             server_idle_timeout = 2\n",
            server.port,
            users.display()
        );
        let settings = file("pgbouncer.ini", &settings);
        if is_root() {
            assert!(
                Command::new("chown")
                    .arg("-R")
                    .arg("postgres")
                    .arg(folder.path())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        let program = pgbouncer();
        let line =
            format!("{} -q {} & pid=$!; read -r _; kill $pid; wait", program.display(), settings.display());
        let process = watched(&line);
        until_listening(port, "pgbouncer");
        Pooler { port, _folder: folder, _process: process }
    }

    /// The URL through the pooler of a database, given its direct one.
    pub fn url(&self, direct: &str) -> String {
        url(self.port, direct.rsplit('/').next().unwrap())
    }
}

fn pgbouncer() -> PathBuf {
    let paths = ["/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer", "/usr/bin/pgbouncer"];
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("pgbouncer is needed: cargo xtask setup installs it")
}

/// A shell that ends what it runs when its input is closed, which happens when this process ends.
fn watched(line: &str) -> Process {
    let process = command(Path::new("/bin/sh"), is_root())
        .args(["-c", line])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Process(process.unwrap())
}

fn until_listening(port: u16, what: &str) {
    let deadline = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "{what} did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    // It listens a moment before it answers.
    std::thread::sleep(Duration::from_millis(300));
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
