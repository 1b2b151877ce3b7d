//! A program that writes to a backend's database and knows nothing of TrustStream.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use truststream_conformance::postgres_server::PostgresServer;

/// A database, and how a program reaches it.
pub enum Place {
    Sqlite(TempDir),
    Postgres(String),
}

impl Place {
    pub fn sqlite() -> Self {
        Place::Sqlite(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Place::Postgres(PostgresServer::of_the_run().new_database().unwrap())
    }

    /// A backend's part of the configuration.
    pub fn settings(&self, name: &str) -> String {
        let database = match self {
            Place::Sqlite(folder) => format!("provider = \"sqlite\"\npath = {:?}", file(folder.path())),
            Place::Postgres(url) => format!("provider = \"postgres\"\nurl = \"{url}\""),
        };
        format!("[backend.{name}.database]\n{database}\n[backend.{name}.storage]\nprovider = \"memory\"\n")
    }

    pub async fn connect(&self) -> Direct {
        match self {
            Place::Sqlite(folder) => Direct::Sqlite(file(folder.path())),
            Place::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
                tokio::spawn(connection);
                Direct::Postgres(client)
            }
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("data.db")
}

/// A connection of that program.
pub enum Direct {
    Sqlite(PathBuf),
    Postgres(Client),
}

impl Direct {
    /// Runs a statement; the error is what the program is told.
    pub async fn run(&self, sql: &str) -> Result<(), String> {
        match self {
            Direct::Postgres(client) => client.batch_execute(sql).await.map_err(|error| {
                error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
            }),
            Direct::Sqlite(file) => {
                let (file, sql) = (file.clone(), sql.to_owned());
                tokio::task::spawn_blocking(move || {
                    let sqlite = Connection::open(file).unwrap();
                    sqlite.busy_timeout(Duration::from_secs(120)).unwrap();
                    sqlite.execute_batch(&sql).map_err(|error| error.to_string())
                })
                .await
                .unwrap()
            }
        }
    }
}

/// Inserts rows one after the other until it is refused, or told to stop.
pub struct Program {
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    task: JoinHandle<(Vec<i64>, Option<String>)>,
}

impl Program {
    /// A program whose rows have ids from `first` on.
    pub async fn start(place: &Place, first: i64) -> Self {
        let (direct, stop) = (place.connect().await, Arc::new(AtomicBool::new(false)));
        let count = Arc::new(AtomicUsize::new(0));
        let (stopped, written) = (Arc::clone(&stop), Arc::clone(&count));
        let task = tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for id in first.. {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let sql = format!("insert into notes (id, body) values ({id}, 'direct')");
                if let Err(refused) = direct.run(&sql).await {
                    return (acknowledged, Some(refused));
                }
                acknowledged.push(id);
                written.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            (acknowledged, None)
        });
        Program { stop, count, task }
    }

    /// Waits until it was told that so many more rows are stored.
    pub async fn writes_on(&self, rows: usize) {
        let wanted = self.count.load(Ordering::SeqCst) + rows;
        while self.count.load(Ordering::SeqCst) < wanted {
            assert!(!self.task.is_finished(), "it was refused after {:?} rows", self.count);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it is refused: what it was told is stored, and how.
    pub async fn until_refused(self) -> (Vec<i64>, String) {
        let (written, refused) = self.task.await.unwrap();
        (written, refused.unwrap())
    }

    /// What it was told is stored, and how it was refused if it was.
    pub async fn finish(self) -> (Vec<i64>, Option<String>) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}
