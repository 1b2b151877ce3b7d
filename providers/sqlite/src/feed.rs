//! The change feed: a table that triggers fill.

mod image;
mod retention;

use std::time::Instant;

use rusqlite::Connection;
use truststream_kernel::{Context, Error, ErrorKind, Result, Row};
use truststream_services::database::{
    Capture, Catalog, Change, ChangeBatch, ChangeKind, Changes, Mark, Position, Table, TableKind, TableName,
};
use truststream_sql::quote::{literal, quote};

use crate::connection::Conn;
use crate::driver::Shared;
use crate::error::convert;
use crate::fence;
use crate::schema::{Schema, physical, physical_name};

pub(crate) use retention::Retention;

/// The present in microseconds since 1970.
const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)";

/// The last number that the feed gave.
pub(crate) fn end(conn: &Connection) -> Result<u64> {
    let sql = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'truststream_changes'), 0)";
    let end: i64 = conn
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(convert)?;
    Ok(end.unsigned_abs())
}

/// Sets what a consumer wants captured.
pub(crate) async fn capture(shared: &Shared, cx: &Context, op: &Capture) -> Result<Position> {
    let (planner, op) = (shared.clone(), op.clone());
    shared
        .on_writer(cx, move |conn| {
            let schema = planner.schema();
            conn.sql
                .execute("DELETE FROM truststream_captures WHERE consumer = ?1", [&op.consumer])
                .map_err(convert)?;
            for table in &op.tables {
                schema.table(table)?;
                conn.sql
                    .execute(
                        "INSERT OR IGNORE INTO truststream_captures (consumer, tbl) VALUES (?1, ?2)",
                        [&op.consumer, &key(table)],
                    )
                    .map_err(convert)?;
            }
            rebuild(&conn.sql, &schema.catalog)?;
            Ok(Position::Sequence(end(&conn.sql)?))
        })
        .await
}

/// How the feed names a table.
fn key(table: &TableName) -> String {
    serde_json::to_string(&[&table.schema, &table.name]).unwrap_or_default()
}

fn table_of(key: &str) -> Result<TableName> {
    let [schema, name]: [String; 2] = serde_json::from_str(key)
        .map_err(|error| Error::internal("the feed names no table").with_source(error))?;
    Ok(TableName { schema, name })
}

/// Makes the triggers of all captured and fenced tables anew.
pub(crate) fn rebuild(conn: &Connection, catalog: &Catalog) -> Result<()> {
    remove(conn)?;
    fence::rebuild(conn, catalog)?;
    let mut statement = conn.prepare("SELECT DISTINCT tbl FROM truststream_captures").map_err(convert)?;
    let captured: Vec<String> =
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(convert)?;
    for key in captured {
        let name = table_of(&key)?;
        if let Some(table) = catalog.table(&name).filter(|table| table.kind == TableKind::Table) {
            conn.execute_batch(&triggers(&name, table)).map_err(convert)?;
        }
    }
    Ok(())
}

/// Takes all triggers of ours away.
pub(crate) fn remove(conn: &Connection) -> Result<()> {
    let mut statement = conn
        .prepare(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'truststream_*' \
                  AND name NOT GLOB 'truststream_words/*'",
        )
        .map_err(convert)?;
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(convert)?;
    for name in names {
        conn.execute_batch(&format!("DROP TRIGGER {}", quote(&name))).map_err(convert)?;
    }
    Ok(())
}

/// With what every SQLite has: programs that write to the file directly have no functions of ours.
fn triggers(name: &TableName, table: &Table) -> String {
    let (old, new, none) =
        (image::expression(table, "OLD"), image::expression(table, "NEW"), "NULL".to_owned());
    [("INSERT", &none, &new), ("UPDATE", &old, &new), ("DELETE", &old, &none)]
        .into_iter()
        .map(|(event, old, new)| {
            let trigger = format!("truststream_{}_{}", event.to_lowercase(), physical_name(name));
            format!(
                "CREATE TRIGGER {} AFTER {event} ON {} BEGIN \
                 INSERT INTO truststream_changes (tbl, op, old, new, origin, made_at) \
                 VALUES ({}, '{event}', {old}, {new}, (SELECT origin FROM truststream_origin), {NOW}); END;\n",
                quote(&trigger),
                physical(name),
                literal(&key(name)),
            )
        })
        .collect()
}

/// Reads changes after a position, waiting for one if there is none.
pub(crate) async fn changes(shared: &Shared, cx: &Context, op: &Changes) -> Result<ChangeBatch> {
    let until = Instant::now() + op.wait;
    let mut bell = shared.writer.commits();
    let Some(after) = &op.after else {
        let end = shared.read(cx, |conn| end(&conn.sql)).await?;
        return Ok(ChangeBatch { changes: Vec::new(), position: Position::Sequence(end), at_end: true });
    };
    let Position::Sequence(after) = *after else {
        return Err(Error::new(ErrorKind::InvalidInput, "BACKEND_010", "the position is of another feed"));
    };
    loop {
        bell.borrow_and_update();
        let (schema, limit) = (shared.schema(), op.limit.max(1));
        let batch = shared.read(cx, move |conn| read(conn, &schema, after, limit)).await?;
        let left = until.saturating_duration_since(Instant::now());
        if !batch.changes.is_empty() || left.is_zero() {
            trim_if_due(shared, cx).await;
            return Ok(batch);
        }
        if let Ok(Err(_)) = tokio::time::timeout(left, bell.changed()).await {
            // Nobody writes any more.
            return Ok(batch);
        }
    }
}

async fn trim_if_due(shared: &Shared, cx: &Context) {
    let Some(keep) = shared.retention.due() else { return };
    let trimmed =
        shared.on_writer(cx, move |conn| retention::trim(&conn.sql, keep, conn.session.now())).await;
    if let Err(error) = trimmed {
        tracing::warn!(%error, "changes could not be trimmed");
    }
}

fn read(conn: &Conn, schema: &Schema, after: u64, limit: usize) -> Result<ChangeBatch> {
    let moment = conn.sql.unchecked_transaction().map_err(convert)?;
    retention::refuse_gap(&conn.sql, after)?;
    let sql = "SELECT seq, tbl, op, old, new, origin, made_at FROM truststream_changes \
               WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    let mut statement = conn.sql.prepare_cached(sql).map_err(convert)?;
    let bounds = [i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX)];
    let mut rows = statement.query(bounds).map_err(convert)?;
    let (mut changes, mut last, mut names) = (Vec::new(), after, image::Names::default());
    let mut count = 0;
    while let Some(row) = rows.next().map_err(convert)? {
        count += 1;
        let sequence = row.get::<_, i64>(0).map_err(convert)?.unsigned_abs();
        last = sequence;
        let name = table_of(&row.get::<_, String>(1).map_err(convert)?)?;
        // A table that is gone has no columns to read its rows by.
        let Some(table) = schema.catalog.table(&name) else { continue };
        let kind = match row.get_ref(2).map_err(convert)?.as_str() {
            Ok("INSERT") => ChangeKind::Insert,
            Ok("UPDATE") => ChangeKind::Update,
            _ => ChangeKind::Delete,
        };
        let image = |index: usize, names: &mut image::Names| -> Result<Option<Row>> {
            let text: Option<String> = row.get(index).map_err(convert)?;
            text.map(|text| names.row(&name, table, &text)).transpose()
        };
        changes.push(Change {
            mark: Mark { transaction: 0, sequence },
            kind,
            old: image(3, &mut names)?,
            new: image(4, &mut names)?,
            origin: row.get(5).map_err(convert)?,
            made_at: row.get(6).map_err(convert)?,
            table: name,
        });
    }
    drop(rows);
    drop(moment);
    Ok(ChangeBatch { changes, position: Position::Sequence(last), at_end: count < limit })
}

/// Begins anew with a file whose triggers an older version made: they call functions that are gone,
/// and wrote rows in another form. Whoever reads on from before is told that it was trimmed.
pub(crate) fn renew(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'truststream_*' \
               AND sql LIKE '%ts_origin()%'";
    if conn.prepare(sql).and_then(|mut statement| statement.exists([])).map_err(convert)? {
        conn.execute_batch("DELETE FROM truststream_changes").map_err(convert)?;
        rebuild(conn, catalog)?;
    }
    Ok(())
}
