//! Making ready for receiving another database, and done with it.

use rusqlite::{Connection, OptionalExtension};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Applied, AppliedMigration, Catalog, Position, Prepare, TableKind, TableName,
};
use truststream_sql::quote::quote;

use crate::conflict;
use crate::connection::Conn;
use crate::ddl::materialized;
use crate::driver::Shared;
use crate::error::convert;
use crate::schema::{physical, physical_name};
use crate::writer::Fate;
use crate::{apply, feed, internal, migrate, sequence, words};

/// How far identities go on beyond the largest value seen, so that the database they came from can
/// go on a while too.
const HEAD_ROOM: i64 = 1_000;

/// Does a step, unless the stream that has to stand somewhere stands elsewhere by now.
pub(crate) async fn prepare(
    shared: &Shared,
    cx: &Context,
    step: &Prepare,
    claim: Option<(&str, &Position)>,
) -> Result<Applied> {
    let (planner, after, step) = (shared.clone(), shared.clone(), step.clone());
    let claim = claim.map(|(origin, stands)| (origin.to_owned(), stands.clone()));
    let work = move |conn: &Conn| {
        if let Some((origin, stands)) = &claim
            && apply::position(&conn.sql, origin)?.as_ref() != Some(stands)
        {
            return Ok(Fate::Undo(None));
        }
        let catalog = planner.schema().catalog.as_ref().clone();
        let catalog = match &step {
            Prepare::Begin { migrations } => begin(conn, catalog, migrations)?,
            Prepare::Finish => finish(conn, catalog)?,
            Prepare::Identities => {
                identities(conn, &catalog)?;
                catalog
            }
            Prepare::Discard => discard(conn, catalog, claim.as_ref().map(|(origin, _)| origin.as_str()))?,
            Prepare::Keep => {
                conn.sql.execute_batch("DELETE FROM truststream_begun").map_err(convert)?;
                catalog
            }
        };
        Ok(Fate::Keep(Some(catalog)))
    };
    let renew = move |catalog: &Option<Catalog>| {
        if let Some(catalog) = catalog {
            after.replace(catalog.clone());
        }
    };
    let done = shared.writer.run_unchecked(cx, work, renew).await?;
    Ok(if done.is_some() { Applied::Done } else { Applied::Stale })
}

fn base_tables(catalog: &Catalog) -> impl Iterator<Item = &TableName> {
    catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table).map(|(name, _)| name)
}

fn begin(conn: &Conn, mut catalog: Catalog, migrations: &[AppliedMigration]) -> Result<Catalog> {
    for name in base_tables(&catalog) {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", physical(name));
        if conn.sql.prepare(&sql).and_then(|mut statement| statement.exists([])).map_err(convert)? {
            let message = format!("the database holds rows already, in table {name}");
            return Err(Error::new(ErrorKind::Constraint, "BACKEND_011", message));
        }
    }
    remember(&conn.sql)?;
    for migration in migrations {
        migrate::run(conn, &mut catalog, &migration.name, &migration.sql)?;
    }
    // What migrations inserted comes with the other rows.
    empty(&conn.sql, &catalog)?;
    take_indexes(&conn.sql)?;
    Ok(catalog)
}

fn empty(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for name in base_tables(catalog) {
        conn.execute_batch(&format!("DELETE FROM {}", physical(name))).map_err(convert)?;
    }
    Ok(())
}

/// Remembers which migrations made the database that was begun with.
fn remember(conn: &Connection) -> Result<()> {
    let migrations = serde_json::to_string(&internal::migrations(conn)?)
        .map_err(|error| Error::internal("the migrations can't be stored").with_source(error))?;
    conn.execute("INSERT OR REPLACE INTO truststream_begun (id, migrations) VALUES (1, ?1)", [migrations])
        .map(drop)
        .map_err(convert)
}

/// The migrations that there were before `Begin`; `None` if there was none, or it is kept.
fn remembered(conn: &Connection) -> Result<Option<Vec<AppliedMigration>>> {
    let text: Option<String> = conn
        .query_row("SELECT migrations FROM truststream_begun", [], |row| row.get(0))
        .optional()
        .map_err(convert)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Error::internal("the remembered migrations can't be read").with_source(error))
}

/// Takes secondary unique indexes away, and remembers them.
fn take_indexes(conn: &Connection) -> Result<()> {
    let found: Vec<(String, String)> = conn
        .prepare(
            "SELECT name, sql FROM sqlite_master \
             WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE%' AND name NOT GLOB 'truststream_*'",
        )
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(convert)?;
    for (name, sql) in found {
        conn.execute("INSERT OR REPLACE INTO truststream_indexes (name, sql) VALUES (?1, ?2)", [&name, &sql])
            .map_err(convert)?;
        conn.execute_batch(&format!("DROP INDEX {}", quote(&name))).map_err(convert)?;
    }
    Ok(())
}

fn finish(writer: &Conn, catalog: Catalog) -> Result<Catalog> {
    let conn = &writer.sql;
    let kept: Vec<(String, String)> = conn
        .prepare("SELECT name, sql FROM truststream_indexes")
        .and_then(|mut statement| statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(convert)?;
    for (name, sql) in kept {
        conn.execute_batch(&sql).map_err(|error| {
            let shown = conflict::both_rows(conn, &catalog, &name, &sql).ok().flatten();
            let message = shown.unwrap_or_else(|| format!("rows received violate a unique key: {sql}"));
            Error::new(ErrorKind::Constraint, "23505", message).with_source(error)
        })?;
    }
    conn.execute_batch("DELETE FROM truststream_indexes").map_err(convert)?;
    let mut statement = conn.prepare("PRAGMA foreign_key_check").map_err(convert)?;
    let mut rows = statement.query([]).map_err(convert)?;
    if let Some(row) = rows.next().map_err(convert)? {
        let (table, parent): (String, String) = (row.get(0).map_err(convert)?, row.get(2).map_err(convert)?);
        let message = format!("rows received in table {table} refer to none in table {parent}");
        return Err(Error::new(ErrorKind::Constraint, "23503", message));
    }
    identities(writer, &catalog)?;
    materialized::refresh_all(conn, &catalog)?;
    Ok(catalog)
}

fn identities(conn: &Conn, catalog: &Catalog) -> Result<()> {
    for (name, table) in catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table) {
        let sql = format!(
            "UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(rowid), 0) FROM {}) + {HEAD_ROOM}) \
             WHERE name = ?1",
            physical(name)
        );
        conn.sql.execute(&sql, [physical_name(name)]).map_err(convert)?;
        sequence::advance(conn, catalog, name, table, HEAD_ROOM)?;
    }
    Ok(())
}

/// Makes the database what it was before `Begin`: the same migrations, no rows. Where no `Begin`
/// was, or after `Keep`, there is nothing to discard. Only the stream of who asks for it stays.
fn discard(conn: &Conn, catalog: Catalog, claim: Option<&str>) -> Result<Catalog> {
    let Some(migrations) = remembered(&conn.sql)? else { return Ok(catalog) };
    feed::remove(&conn.sql)?;
    for (name, table) in catalog.tables.iter().rev() {
        let rows = table.kind == TableKind::Table || table.is_materialized();
        let kind = if rows { "TABLE" } else { "VIEW" };
        conn.sql.execute_batch(&format!("DROP {kind} IF EXISTS {}", physical(name))).map_err(convert)?;
    }
    conn.sql
        .execute_batch(
            "DELETE FROM truststream_migrations; DELETE FROM truststream_indexes; DELETE FROM truststream_begun;",
        )
        .map_err(convert)?;
    conn.sql.execute("DELETE FROM truststream_streams WHERE origin IS NOT ?1", [claim]).map_err(convert)?;
    let mut before = Catalog::default();
    internal::keep_catalog(&conn.sql, &before)?;
    for migration in migrations {
        migrate::run(conn, &mut before, &migration.name, &migration.sql)?;
    }
    empty(&conn.sql, &before)?;
    words::follow(&conn.sql, &before)?;
    feed::rebuild(&conn.sql, &before)?;
    Ok(before)
}
