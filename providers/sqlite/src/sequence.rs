//! Numbers for identity columns that are not the row id.

use rusqlite::{Connection, params};
use truststream_kernel::{Result, Type};
use truststream_services::database::{Column, Table, TableName};
use truststream_sql::quote::quote;

use crate::error::convert;
use crate::schema::{physical, physical_name};

/// The column that SQLite itself numbers: a primary key of one integer.
pub(crate) fn row_id(table: &Table) -> Option<&Column> {
    let [key] = table.primary_key.as_slice() else { return None };
    table.column(key).filter(|column| matches!(column.ty, Type::Int2 | Type::Int4 | Type::Int8))
}

/// Columns whose numbers come from here.
pub(crate) fn columns(table: &Table) -> impl Iterator<Item = &Column> {
    let numbered = row_id(table).map(|column| column.name.as_str());
    table.columns.iter().filter(move |column| column.identity.is_some() && numbered != Some(&column.name))
}

/// The next number of a column.
pub(crate) fn next(conn: &Connection, table: &TableName, column: &Column) -> Result<i64> {
    let sql = format!(
        "INSERT INTO truststream_sequences (tbl, col, last) \
         VALUES (?1, ?2, (SELECT coalesce(max({}), 0) + 1 FROM {})) \
         ON CONFLICT (tbl, col) DO UPDATE SET last = last + 1 RETURNING last",
        quote(&column.name),
        physical(table)
    );
    conn.prepare_cached(&sql)
        .and_then(|mut statement| {
            statement.query_row(params![physical_name(table), column.name], |row| row.get(0))
        })
        .map_err(convert)
}

/// Goes on well beyond the largest number present.
pub(crate) fn advance(conn: &Connection, name: &TableName, table: &Table, by: i64) -> Result<()> {
    for column in columns(table) {
        let sql = format!(
            "INSERT INTO truststream_sequences (tbl, col, last) \
             VALUES (?1, ?2, (SELECT coalesce(max({}), 0) + ?3 FROM {})) \
             ON CONFLICT (tbl, col) DO UPDATE SET last = max(last, excluded.last)",
            quote(&column.name),
            physical(name)
        );
        conn.execute(&sql, params![physical_name(name), column.name, by]).map_err(convert)?;
    }
    Ok(())
}
