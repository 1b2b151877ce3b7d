//! The provider on real files: the suite that every provider must pass, and what is SQLite's own.

#![allow(clippy::unwrap_used)]

mod caseless;
mod definitions;
mod direct;
mod discard;
mod durability;
mod feed;
mod materialized;
mod memory;
mod migrations;
mod plans;
mod projects;
mod records;
mod schema;
mod sessions;
mod strictness;
mod support;
mod words;
mod writes;
mod xml;

use std::sync::Arc;

use tempfile::TempDir;
use truststream_conformance::{database, run, scratch};
use truststream_kernel::{Driven, Stack};
use truststream_services::database::DatabaseService;
use truststream_sqlite::{Config, MemoryConfig, SqliteDriver};

/// A driver on a fresh file in a folder of its own.
async fn fresh() -> truststream_kernel::Result<SqliteDriver> {
    let folder = scratch::folder_of_the_run().expect("a temporary folder");
    SqliteDriver::open(Config { path: folder.join("data.db"), ..Config::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance() {
    run("sqlite", database::CASES, || async {
        let stack: Stack<DatabaseService> = Arc::new(Driven(fresh().await?));
        Ok(stack)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conformance_in_memory() {
    run("memory", database::CASES, || async {
        let stack: Stack<DatabaseService> =
            Arc::new(Driven(SqliteDriver::in_memory(MemoryConfig::default()).await?));
        Ok(stack)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let config = Config { path: folder.path().join("deep/data.db"), ..Config::default() };
    let first = SqliteDriver::open(config.clone()).await.expect("the first opens");
    let error = SqliteDriver::open(config.clone()).await.expect_err("the second is refused");
    assert_eq!(error.code(), "BACKEND_014");
    assert!(error.message().contains(&format!("process {}", std::process::id())), "{error}");
    drop(first);
    SqliteDriver::open(config).await.expect("it is free again");
}
