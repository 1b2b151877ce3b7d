//! A server to test against: SecantusDB, which speaks MongoDB's protocol. It is a process of its
//! own, in a folder of its own, and ends with the test.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use truststream_mongodb::{Config, MongoDriver};

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    /// Starts one.
    ///
    /// # Panics
    /// If SecantusDB is not installed, or does not answer within a minute.
    pub(crate) async fn start() -> Self {
        let program = program();
        assert!(program.is_file(), "{} is missing: `cargo xtask setup` installs it", program.display());
        let folder = TempDir::new().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--log-level", "ERROR"])
            .arg("--storage-path")
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server { child, port, _folder: folder };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or it is killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A driver on a database of its own.
pub(crate) async fn fresh(url: &str) -> truststream_kernel::Result<MongoDriver> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);

    let database = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    MongoDriver::open(Config { database: Some(database), ..Config::new(url) }).await
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    cache.join("truststream/secantusdb/bin/secantusd-py")
}
