//! Tables in key order, a chunk at a time.

use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Chunk, Column, Position, Scan};
use truststream_sql::quote::quote;

use crate::connection::Conn;
use crate::error::convert;
use crate::feed;
use crate::schema::{Schema, physical};
use crate::storage;

/// Reads a chunk, and the feed's position in the same snapshot.
pub(crate) fn scan(conn: &Conn, schema: &Schema, op: &Scan) -> Result<Chunk> {
    let table = schema.table(&op.table)?;
    if table.primary_key.is_empty() {
        return Err(Error::unsupported(format!("table {} has no primary key", op.table)));
    }
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let quoted = |names: &[&str]| names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
    let key: Vec<&str> = table.primary_key.iter().map(String::as_str).collect();
    let mut cells = Vec::new();
    let mut tests = Vec::new();
    let beyond = if op.backwards { "<" } else { ">" };
    for (test, given) in [(beyond, &op.after), (if op.backwards { ">=" } else { "<=" }, &op.until)] {
        let Some(values) = given else { continue };
        cells.extend(values.iter().map(storage::cell).collect::<Result<Vec<_>>>()?);
        tests.push(format!("({}) {test} ({})", quoted(&key), vec!["?"; key.len()].join(", ")));
    }
    let within = if tests.is_empty() { String::new() } else { format!(" WHERE {}", tests.join(" AND ")) };
    let direction = if op.backwards { " DESC" } else { "" };
    let order: Vec<String> = key.iter().map(|name| format!("{}{direction}", quote(name))).collect();
    cells.push(Cell::Integer(i64::try_from(op.limit).unwrap_or(i64::MAX)));
    let sql = format!(
        "SELECT {} FROM {}{within} ORDER BY {} LIMIT ?",
        quoted(&columns),
        physical(&op.table),
        order.join(", ")
    );
    let snapshot = conn.sql.unchecked_transaction().map_err(convert)?;
    let position = Position::Sequence(feed::end(&conn.sql)?);
    let rows = read(conn, &sql, &cells, &table.columns)?;
    snapshot.commit().map_err(convert)?;
    Ok(Chunk { rows, position })
}

fn read(conn: &Conn, sql: &str, cells: &[Cell], columns: &[Column]) -> Result<Vec<Row>> {
    let names: Arc<[String]> = columns.iter().map(|column| column.name.clone()).collect();
    let mut statement = conn.sql.prepare_cached(sql).map_err(convert)?;
    let mut found = statement.query(params_from_iter(cells)).map_err(convert)?;
    let mut rows = Vec::new();
    while let Some(row) = found.next().map_err(convert)? {
        let values: Vec<Value> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| storage::value(row.get_ref(at).map_err(convert)?, &column.ty))
            .collect::<Result<_>>()?;
        rows.push(Row { columns: Arc::clone(&names), values });
    }
    Ok(rows)
}
