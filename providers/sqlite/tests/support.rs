//! Databases for tests.

use std::path::Path;

use truststream_kernel::Context;
use truststream_services::database::{DatabaseDriver, Insert, Migrate, Query, Select, TableName};
use truststream_sqlite::{Config, SqliteDriver};

/// The table that the tests write to.
pub const SCHEMA: &str = "create table notes (id bigint primary key, body text not null, kind text unique)";

/// A database in a folder.
pub async fn open(folder: &Path) -> truststream_kernel::Result<SqliteDriver> {
    SqliteDriver::open(Config { path: folder.join("data.db"), ..Config::default() }).await
}

/// A database with the tests' table.
pub async fn ready(folder: &Path) -> SqliteDriver {
    let driver = open(folder).await.unwrap();
    migrate(&driver).await;
    driver
}

/// Makes the tests' table.
pub async fn migrate(driver: &SqliteDriver) {
    let migration = Migrate { name: "1_notes.sql".into(), sql: SCHEMA.into(), dry_run: false };
    driver.migrate(&Context::system(), &migration).await.unwrap();
}

/// Inserts one note.
pub fn note(id: i64) -> Insert {
    Insert::new(notes(), format!(r#"{{"id":{id},"body":"note {id}"}}"#))
}

/// The tests' table.
pub fn notes() -> TableName {
    TableName::public("notes")
}

/// The ids of all notes in order.
pub async fn ids(driver: &SqliteDriver) -> Vec<i64> {
    let page = driver.select(&Context::system(), &Select::new(notes(), Query::all())).await.unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&page.body).unwrap();
    let mut ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    ids
}
