//! Rows as the feed keeps them: each cell as the literal that SQLite quotes it by.
//!
//! Triggers write them with what every SQLite has, so that programs without TrustStream's functions
//! are captured too; and a literal holds every cell exactly.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Column, Table, TableName};
use truststream_sql::quote::{literal, quote};

use crate::storage;

/// The expression by which a trigger writes a row (`OLD` or `NEW`).
pub(super) fn expression(table: &Table, row: &str) -> String {
    let members: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("{}, quote({row}.{})", literal(&column.name), quote(&column.name)))
        .collect();
    format!("json_object({})", members.join(", "))
}

/// Column names shared by the rows of a table.
#[derive(Default)]
pub(super) struct Names(HashMap<TableName, Arc<[String]>>);

impl Names {
    /// Reads a row back.
    pub(super) fn row(&mut self, name: &TableName, table: &Table, image: &str) -> Result<Row> {
        let columns = self
            .0
            .entry(name.clone())
            .or_insert_with(|| table.columns.iter().map(|column| column.name.clone()).collect());
        let members: HashMap<String, String> = serde_json::from_str(image)
            .map_err(|error| Error::internal("the feed holds no row").with_source(error))?;
        let value = |column: &Column| match members.get(&column.name) {
            Some(text) => storage::value((&cell(text)?).into(), &column.ty),
            None => Ok(Value::Null),
        };
        let values = table.columns.iter().map(value).collect::<Result<_>>()?;
        Ok(Row { columns: Arc::clone(columns), values })
    }
}

/// The cell that a literal stands for.
fn cell(literal: &str) -> Result<Cell> {
    let malformed = || Error::internal("the feed holds no value");
    if literal == "NULL" {
        return Ok(Cell::Null);
    }
    if let Some(text) = quoted(literal, "'") {
        return Ok(Cell::Text(text.replace("''", "'")));
    }
    if let Some(hexadecimal) = quoted(literal, "X'") {
        let digits = hexadecimal.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        return bytes.map(Cell::Blob).ok_or_else(malformed);
    }
    match literal.parse() {
        Ok(number) => Ok(Cell::Integer(number)),
        Err(_) => literal.parse().map(Cell::Real).map_err(|_| malformed()),
    }
}

fn quoted<'t>(literal: &'t str, opening: &str) -> Option<&'t str> {
    literal.strip_prefix(opening)?.strip_suffix('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_comes_back_as_it_was() {
        let sqlite = rusqlite::Connection::open_in_memory().unwrap();
        let quoted = |cell: &Cell| -> String {
            sqlite
                .query_row("SELECT json_extract(json_object('c', quote(?1)), '$.c')", [cell], |row| {
                    row.get(0)
                })
                .unwrap()
        };
        let texts =
            ["", "'", "it''s", "NULL", "X'00'", "12", "\u{1f600}\n\"\\"].map(|text| Cell::Text(text.into()));
        let numbers = [i64::MIN, -1, 0, i64::MAX].map(Cell::Integer);
        let floats = [0.1, -0.0, 1e300, 5e-324, 1.0 / 3.0, f64::INFINITY, f64::NEG_INFINITY].map(Cell::Real);
        let blobs = [vec![], vec![0, 39, 255]].map(Cell::Blob);
        for one in texts.into_iter().chain(numbers).chain(floats).chain(blobs).chain([Cell::Null]) {
            assert_eq!(cell(&quoted(&one)).unwrap(), one, "{}", quoted(&one));
        }
        assert!(cell("'open").is_err());
    }
}
