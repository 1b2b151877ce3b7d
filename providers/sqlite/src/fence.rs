//! Closing tables to whoever writes to the file directly.
//!
//! Triggers look at one row of one table: SQLite has one writer at a time, so what it finds there
//! was said before its own transaction began.

use rusqlite::{Connection, OptionalExtension};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Fence, FenceStep, TableKind, TableName};
use truststream_sql::quote::{literal, quote};

use crate::connection::Conn;
use crate::driver::Shared;
use crate::error::convert;
use crate::schema::{physical, physical_name};
use crate::writer::Fate;

/// How the message of a refused write begins.
pub(crate) const CLOSED: &str = "this table is closed: another backend serves this application now";

/// Open, and closed until somebody opens it.
const OPEN: &str = "0";
const FOR_GOOD: &str = "9223372036854775807";

/// The time of day, in milliseconds since 1970.
const NOW: &str = "(julianday('now') - 2440587.5) * 86400000";

/// Does a step of a fence.
pub(crate) async fn fence(shared: &Shared, cx: &Context, op: &Fence) -> Result<()> {
    let (planner, op) = (shared.clone(), op.clone());
    let work = move |conn: &Conn| {
        step(&conn.sql, &planner.schema().catalog, &op)?;
        Ok(Fate::Keep(()))
    };
    shared.writer.run_alone(cx, work).await
}

fn step(conn: &Connection, catalog: &Catalog, op: &Fence) -> Result<()> {
    let late = epoch(conn)?.is_some_and(|last| last > op.epoch);
    match op.step {
        FenceStep::Install => {
            install(conn, op)?;
            rebuild(conn, catalog)
        }
        FenceStep::Close { .. } if late => {
            let message = format!("the fence of epoch {} comes late: a later one was set since", op.epoch);
            Err(Error::new(ErrorKind::Conflict, "BACKEND_007", message))
        }
        FenceStep::Open | FenceStep::Remove if late => Ok(()),
        FenceStep::Close { hold: None } => set(conn, op.epoch, FOR_GOOD),
        FenceStep::Close { hold: Some(hold) } => {
            // More is as good as for good.
            let ms = hold.as_millis().min(1 << 40);
            set(conn, op.epoch, &format!("CAST({NOW} AS INTEGER) + {ms}"))
        }
        FenceStep::Open => set(conn, op.epoch, OPEN),
        FenceStep::Remove => {
            conn.execute_batch("DELETE FROM truststream_fence").map_err(convert)?;
            rebuild(conn, catalog)
        }
    }
}

fn epoch(conn: &Connection) -> Result<Option<u64>> {
    let found = conn.query_row("SELECT epoch FROM truststream_fence", [], |row| row.get::<_, i64>(0));
    Ok(found.optional().map_err(convert)?.map(i64::unsigned_abs))
}

fn set(conn: &Connection, epoch: u64, until: &str) -> Result<()> {
    let sql = format!("UPDATE truststream_fence SET epoch = ?1, until = {until}");
    conn.execute(&sql, [signed(epoch)]).map(drop).map_err(convert)
}

fn install(conn: &Connection, op: &Fence) -> Result<()> {
    let tables: Vec<[&String; 2]> = op.tables.iter().map(|table| [&table.schema, &table.name]).collect();
    let tables = serde_json::to_string(&tables)
        .map_err(|error| Error::internal("the tables of a fence can't be stored").with_source(error))?;
    conn.execute(
        "INSERT OR REPLACE INTO truststream_fence (id, epoch, until, streams, tables) VALUES (1, ?1, 0, ?2, ?3)",
        rusqlite::params![signed(op.epoch), op.streams, tables],
    )
    .map(drop)
    .map_err(convert)
}

fn signed(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

/// Makes the triggers of all fenced tables anew.
pub(crate) fn rebuild(conn: &Connection, catalog: &Catalog) -> Result<()> {
    remove(conn)?;
    let fence = conn.query_row("SELECT streams, tables FROM truststream_fence", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    });
    let Some((streams, tables)) = fence.optional().map_err(convert)? else { return Ok(()) };
    let tables: Vec<[String; 2]> = serde_json::from_str(&tables)
        .map_err(|error| Error::internal("the tables of a fence can't be read").with_source(error))?;
    for [schema, name] in tables {
        let name = TableName { schema, name };
        if catalog.table(&name).is_some_and(|table| table.kind == TableKind::Table) {
            conn.execute_batch(&triggers(&name, &streams)).map_err(convert)?;
        }
    }
    Ok(())
}

/// Takes all refusing triggers away.
pub(crate) fn remove(conn: &Connection) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'truststream_fence_*'")
        .map_err(convert)?;
    let names: Vec<String> =
        statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(convert)?;
    names
        .iter()
        .try_for_each(|name| conn.execute_batch(&format!("DROP TRIGGER {}", quote(name))).map_err(convert))
}

/// With what every SQLite has: the programs that are refused have no functions of ours.
fn triggers(name: &TableName, streams: &str) -> String {
    let (message, streams) = (literal(CLOSED), literal(streams));
    ["INSERT", "UPDATE", "DELETE"]
        .into_iter()
        .map(|event| {
            let trigger = format!("truststream_fence_{}_{}", event.to_lowercase(), physical_name(name));
            format!(
                "CREATE TRIGGER {} BEFORE {event} ON {} \
                 WHEN (SELECT until FROM truststream_fence) > {NOW} \
                 AND NOT EXISTS (SELECT 1 FROM truststream_origin \
                                 WHERE substr(origin, 1, length({streams})) = {streams}) \
                 BEGIN SELECT RAISE(ABORT, {message}); END;\n",
                quote(&trigger),
                physical(name),
            )
        })
        .collect()
}
