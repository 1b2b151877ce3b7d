//! The provider's own tables.

use rusqlite::{Connection, OptionalExtension};
use truststream_kernel::{Error, Result};
use truststream_services::database::{AppliedMigration, Catalog};

use crate::error::convert;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS truststream_catalog (id INTEGER PRIMARY KEY CHECK (id = 1), catalog TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_migrations (name TEXT PRIMARY KEY, sql TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, op TEXT NOT NULL,
    old TEXT, new TEXT, origin TEXT, made_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_captures (
    consumer TEXT NOT NULL, tbl TEXT NOT NULL, PRIMARY KEY (consumer, tbl));
CREATE TABLE IF NOT EXISTS truststream_origin (origin TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_fence (
    id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, until INTEGER NOT NULL,
    streams TEXT NOT NULL, tables TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_streams (origin TEXT PRIMARY KEY, position TEXT);
CREATE TABLE IF NOT EXISTS truststream_numbers (name TEXT PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_indexes (name TEXT PRIMARY KEY, sql TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_begun (id INTEGER PRIMARY KEY CHECK (id = 1), migrations TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truststream_words (name TEXT PRIMARY KEY, definition TEXT NOT NULL);
";

/// Makes the provider's own tables.
pub(crate) fn create(conn: &Connection) -> Result<()> {
    conn.execute_batch(TABLES).map_err(convert)
}

/// The catalog kept in the file.
pub(crate) fn catalog(conn: &Connection) -> Result<Catalog> {
    let text: Option<String> = conn
        .query_row("SELECT catalog FROM truststream_catalog", [], |row| row.get(0))
        .optional()
        .map_err(convert)?;
    match text {
        None => Ok(Catalog::default()),
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| Error::internal("the stored catalog can't be read").with_source(error)),
    }
}

/// Keeps the catalog in the file.
pub(crate) fn keep_catalog(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let text = serde_json::to_string(catalog)
        .map_err(|error| Error::internal("the catalog can't be stored").with_source(error))?;
    conn.execute("INSERT OR REPLACE INTO truststream_catalog (id, catalog) VALUES (1, ?1)", [text])
        .map(drop)
        .map_err(convert)
}

/// Migrations applied, in order.
pub(crate) fn migrations(conn: &Connection) -> Result<Vec<AppliedMigration>> {
    let mut statement = conn
        .prepare_cached("SELECT name, sql FROM truststream_migrations ORDER BY rowid")
        .map_err(convert)?;
    let rows = statement
        .query_map([], |row| Ok(AppliedMigration { name: row.get(0)?, sql: row.get(1)? }))
        .map_err(convert)?;
    rows.collect::<rusqlite::Result<_>>().map_err(convert)
}

/// Their names alone, without reading texts.
pub(crate) fn migration_names(conn: &Connection) -> Result<Vec<String>> {
    let mut statement =
        conn.prepare_cached("SELECT name FROM truststream_migrations ORDER BY rowid").map_err(convert)?;
    let names = statement.query_map([], |row| row.get(0)).map_err(convert)?;
    names.collect::<rusqlite::Result<_>>().map_err(convert)
}

/// Forgets that a migration was applied.
pub(crate) fn forget(conn: &Connection, name: &str) -> Result<()> {
    conn.execute("DELETE FROM truststream_migrations WHERE name = ?1", [name]).map(drop).map_err(convert)
}
