//! Databases for tests.

use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;
use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::{Context, Driven};
use truststream_postgres::PostgresDriver;
use truststream_services::database::{Database, DatabaseService, Migrate};
use truststream_sqlite::SqliteDriver;

/// Runs each of the named cases on every database.
#[macro_export]
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::support::Backend::Postgres).await;
            })+
        }

        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::support::Backend::Sqlite).await;
            })+
        }
    };
}

/// What a test runs on.
#[derive(Clone, Copy, Debug)]
pub enum Backend {
    Postgres,
    Sqlite,
}

/// A database of a test's own, gone with this value.
pub struct TestDatabase {
    pub database: Database,
    _home: Home,
}

/// What keeps a database alive. A server runs as long as some test has one.
#[allow(dead_code)]
enum Home {
    Server(Arc<PostgresServer>),
    Folder(TempDir),
}

impl TestDatabase {
    /// A database with the tables of an engine.
    pub async fn new(backend: Backend, migrations: &[(&str, &str)]) -> Self {
        let (stack, home): (truststream_kernel::Stack<DatabaseService>, _) = match backend {
            Backend::Postgres => {
                let server = server();
                let config = truststream_postgres::Config::new(server.new_database().unwrap());
                let driver = PostgresDriver::connect(config).await.unwrap();
                (Arc::new(Driven(driver)), Home::Server(server))
            }
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let config = truststream_sqlite::Config {
                    path: folder.path().join("data.db"),
                    ..truststream_sqlite::Config::default()
                };
                let driver = SqliteDriver::open(config).await.unwrap();
                (Arc::new(Driven(driver)), Home::Folder(folder))
            }
        };
        let database = Database::new(stack, Context::system());
        for (name, sql) in migrations {
            let (name, sql) = ((*name).to_owned(), (*sql).to_owned());
            database.send(Migrate { name, sql, dry_run: false }).await.unwrap();
        }
        TestDatabase { database, _home: home }
    }
}

fn server() -> Arc<PostgresServer> {
    static RUNNING: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap();
    running.upgrade().unwrap_or_else(|| {
        let server = Arc::new(start());
        *running = Arc::downgrade(&server);
        server
    })
}

/// The server goes with the thread that starts it, so that is none of a test's.
fn start() -> PostgresServer {
    let (sender, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sender.send(PostgresServer::start(&[]).unwrap()).unwrap();
        loop {
            std::thread::park();
        }
    });
    started.recv().unwrap()
}
