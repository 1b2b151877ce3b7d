//! Rows and changes that come from another database.

use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use truststream_kernel::{Context, Error, Result, Row, Value};
use truststream_services::database::{Applied, Apply, Change, Position, Table, TableName};
use truststream_sql::quote::quote;

use crate::connection::Conn;
use crate::driver::Shared;
use crate::error::convert;
use crate::schema::{Schema, physical};
use crate::storage;
use crate::write::{Write, explain_unseen};
use crate::writer::Fate;

/// Where a stream stands.
pub(crate) fn position(conn: &Connection, origin: &str) -> Result<Option<Position>> {
    let text: Option<Option<String>> = conn
        .prepare_cached("SELECT position FROM truststream_streams WHERE origin = ?1")
        .and_then(|mut statement| statement.query_row([origin], |row| row.get(0)).optional())
        .map_err(convert)?;
    text.flatten()
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| Error::internal("a stored position can't be read").with_source(error))
        })
        .transpose()
}

/// Applies rows and changes together with the position they reach.
pub(crate) async fn apply(shared: &Shared, cx: &Context, op: &Apply) -> Result<Applied> {
    let (planner, op, caller) = (shared.clone(), op.clone(), cx.clone());
    let work = move |conn: &Conn| {
        if position(&conn.sql, &op.origin)? != op.expected {
            return Ok(Fate::Undo(Applied::Stale));
        }
        let schema = planner.schema();
        originate(conn, Some(&op.origin))?;
        let outcome = all(conn, &schema, &caller, &op);
        originate(conn, None)?;
        outcome.map(|()| Fate::Keep(Applied::Done))
    };
    shared.writer.run_unchecked(cx, work, |_| ()).await
}

/// Marks what is written from now on as coming from a stream: for the application's triggers, and
/// for those of the feed and the fence, which other programs fire too.
fn originate(conn: &Conn, origin: Option<&str>) -> Result<()> {
    conn.session.originate(origin);
    let sql = match origin {
        Some(_) => "INSERT INTO truststream_origin (origin) VALUES (?1)",
        None => "DELETE FROM truststream_origin",
    };
    conn.sql
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params_from_iter(origin)))
        .map(drop)
        .map_err(convert)
}

fn all(conn: &Conn, schema: &Schema, cx: &Context, op: &Apply) -> Result<()> {
    let applier = Applier { write: Write { conn, schema, cx } };
    for (name, rows) in &op.rows {
        applier.put(name, schema.table(name)?, rows)?;
    }
    for change in &op.changes {
        applier.change(change)?;
    }
    if let Some(position) = &op.position {
        let text = serde_json::to_string(position)
            .map_err(|error| Error::internal("a position can't be stored").with_source(error))?;
        conn.sql
            .prepare_cached("INSERT OR REPLACE INTO truststream_streams (origin, position) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute([&op.origin, &text]))
            .map_err(convert)?;
    }
    Ok(())
}

struct Applier<'a> {
    write: Write<'a>,
}

impl Applier<'_> {
    fn change(&self, change: &Change) -> Result<()> {
        let table = self.write.schema.table(&change.table)?;
        if let Some(old) = &change.old
            && change.new.as_ref().is_none_or(|new| key_differs(table, old, new))
        {
            self.remove(&change.table, table, old)?;
        }
        self.put(&change.table, table, change.new.as_slice())
    }

    /// Inserts rows, or replaces those of their keys.
    fn put(&self, name: &TableName, table: &Table, rows: &[Row]) -> Result<()> {
        for alike in rows.chunk_by(|one, next| one.columns == next.columns) {
            let upsert = Upsert::of(name, table, &alike[0].columns)?;
            let mut statement = self.write.conn.sql.prepare_cached(&upsert.sql).map_err(convert)?;
            for row in alike {
                let values =
                    upsert.columns.iter().map(|index| row.values.get(*index).unwrap_or(&Value::Null));
                let cells = values.map(storage::bound).collect::<Result<Vec<_>>>()?;
                statement
                    .execute(params_from_iter(&cells))
                    .map_err(|error| explain_unseen(&self.write, error, (name, table)))?;
            }
        }
        Ok(())
    }

    fn remove(&self, name: &TableName, table: &Table, row: &Row) -> Result<()> {
        let mut cells = Vec::with_capacity(table.primary_key.len());
        for column in &table.primary_key {
            let value =
                row.get(column).ok_or_else(|| Error::internal(format!("a row of {name} has no {column}")))?;
            cells.push(storage::cell(value)?);
        }
        if cells.is_empty() {
            return Err(Error::unsupported(format!("table {name} has no primary key")));
        }
        let tests: Vec<String> =
            table.primary_key.iter().map(|column| format!("{} = ?", quote(column))).collect();
        let sql = format!("DELETE FROM {} WHERE {}", physical(name), tests.join(" AND "));
        self.run(name, table, &sql, &cells)
    }

    fn run(&self, name: &TableName, table: &Table, sql: &str, cells: &[Cell]) -> Result<()> {
        self.write
            .conn
            .sql
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params_from_iter(cells)))
            .map(drop)
            .map_err(|error| explain_unseen(&self.write, error, (name, table)))
    }
}

/// The statement that puts a row of some columns.
struct Upsert {
    sql: String,
    /// Which of the row's values it binds.
    columns: Vec<usize>,
}

impl Upsert {
    fn of(name: &TableName, table: &Table, columns: &[String]) -> Result<Self> {
        let (mut bound, mut names, mut sets) = (Vec::new(), Vec::new(), Vec::new());
        for (index, column) in columns.iter().enumerate() {
            let Some(known) = table.column(column) else {
                return Err(Error::internal(format!("table {name} has no column {column}")));
            };
            // It is computed from the others, to the same value.
            if known.generated.is_some() {
                continue;
            }
            let quoted = quote(column);
            if !table.primary_key.contains(column) {
                sets.push(format!("{quoted} = excluded.{quoted}"));
            }
            names.push(quoted);
            bound.push(index);
        }
        let key: Vec<String> = table.primary_key.iter().map(|column| quote(column)).collect();
        let conflict = match (key.is_empty(), sets.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!(" ON CONFLICT ({}) DO NOTHING", key.join(", ")),
            (false, false) => {
                format!(" ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), sets.join(", "))
            }
        };
        let (list, marks) = (names.join(", "), vec!["?"; names.len()].join(", "));
        let sql = format!("INSERT INTO {} ({list}) VALUES ({marks}){conflict}", physical(name));
        Ok(Upsert { sql, columns: bound })
    }
}

fn key_differs(table: &Table, old: &Row, new: &Row) -> bool {
    table.primary_key.iter().any(|column| old.get(column) != new.get(column))
}
