//! What a column of somebody else's table holds: SQLite keeps any value in almost any column, whatever
//! type was declared.

use rusqlite::Connection;
use truststream_kernel::{Result, Type};

use crate::error::convert;

/// Rows that are looked at.
const SAMPLE: usize = 10_000;

/// The type to propose for a column that was declared as `declared`, which means `meant`, and a note if
/// its values are others.
pub(super) fn proposed(
    conn: &Connection,
    table: &str,
    column: &str,
    (declared, meant): (&str, Type),
) -> Result<(Type, Option<String>)> {
    let stored = stored(conn, table, column)?;
    let undeclared = declared.trim().is_empty();
    if !undeclared && stored.iter().all(|kind| fits(&meant, kind)) {
        return Ok((meant, None));
    }
    let best = best(&stored);
    if undeclared && stored.len() < 2 {
        return Ok((best, None));
    }
    let declared =
        if undeclared { "declared without a type".to_owned() } else { format!("declared {declared}") };
    let (holds, name) = (stored.join(" and "), best.sql_name());
    Ok((best, Some(format!("{table}.{column}: {declared}, but holds {holds} values: proposed as {name}"))))
}

/// The kinds of values in it, in a fixed order.
fn stored(conn: &Connection, table: &str, column: &str) -> Result<Vec<String>> {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let (table, column) = (quote(table), quote(column));
    let sql = format!(
        "SELECT DISTINCT typeof(value) FROM (SELECT {column} AS value FROM {table} LIMIT {SAMPLE})
         WHERE value IS NOT NULL ORDER BY 1"
    );
    let mut statement = conn.prepare(&sql).map_err(convert)?;
    let kinds = statement.query_map([], |row| row.get(0)).map_err(convert)?;
    kinds.collect::<rusqlite::Result<_>>().map_err(convert)
}

fn fits(ty: &Type, kind: &str) -> bool {
    match ty {
        Type::Bool | Type::Int8 => kind == "integer",
        Type::Float8 | Type::Numeric(_) => matches!(kind, "integer" | "real"),
        Type::Bytes => kind == "blob",
        _ => kind == "text",
    }
}

fn best(kinds: &[String]) -> Type {
    let only =
        |allowed: &[&str]| !kinds.is_empty() && kinds.iter().all(|kind| allowed.contains(&kind.as_str()));
    if only(&["integer"]) {
        Type::Int8
    } else if only(&["integer", "real"]) {
        Type::Float8
    } else if only(&["blob"]) {
        Type::Bytes
    } else {
        Type::Text
    }
}
