//! The embedded database against the suite, and against PostgreSQL on random queries.
#![allow(clippy::unwrap_used)]

mod same_rows;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use truststream_conformance::{database, run};
use truststream_kernel::{Driven, Result, Stack};
use truststream_services::database::DatabaseService;
use truststream_sqlite::{Config, SqliteDriver};

/// A new database in a file of a folder.
async fn sqlite(folder: &Path) -> Result<Stack<DatabaseService>> {
    let config = Config { path: folder.join("data.db"), ..Config::default() };
    Ok(Arc::new(Driven(SqliteDriver::open(config).await?)))
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_passes_the_suite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let opened = AtomicU32::new(0);
    run("sqlite", database::CASES, move || {
        let folder = path.join(opened.fetch_add(1, Ordering::SeqCst).to_string());
        async move {
            std::fs::create_dir(&folder).unwrap();
            sqlite(&folder).await
        }
    })
    .await;
}
