//! Databases for tests.

use std::sync::{Arc, Mutex, Weak};

use truststream_conformance::postgres_server::PostgresServer;
use truststream_kernel::{Context, Driven};
use truststream_postgres::{Config, PostgresDriver};
use truststream_services::database::{Database, Migrate};

static RUNNING: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());

/// An empty database; its server runs as long as a test has one.
pub struct TestDatabase {
    pub database: Database,
    _server: Arc<PostgresServer>,
}

impl TestDatabase {
    /// A database with the tables of an engine.
    pub async fn with(migrations: &[(&str, &str)]) -> Self {
        let server = server();
        let driver = PostgresDriver::connect(Config::new(server.new_database().unwrap())).await.unwrap();
        let database = Database::new(Arc::new(Driven(driver)), Context::system());
        for (name, sql) in migrations {
            let (name, sql) = ((*name).to_owned(), (*sql).to_owned());
            database.send(Migrate { name, sql, dry_run: false }).await.unwrap();
        }
        TestDatabase { database, _server: server }
    }
}

fn server() -> Arc<PostgresServer> {
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
