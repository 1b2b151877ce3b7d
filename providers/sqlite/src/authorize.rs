//! Policies on rows that are given by value.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Result};
use truststream_services::database::{Authorize, PolicyCommand};
use truststream_sql::quote::quote;

use crate::access::Access;
use crate::connection::Conn;
use crate::error::convert;
use crate::schema::{Schema, physical};
use crate::storage;

/// Which of the rows the caller's `select` policies admit.
pub(crate) fn authorize(conn: &Conn, schema: &Schema, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
    let table = schema.table(&op.table)?;
    let policy = match Access::of(cx).using(schema, &op.table, PolicyCommand::Select) {
        Ok(None) => return Ok(vec![true; op.rows.len()]),
        Ok(Some(policy)) => policy,
        Err(error) if error.code() == "42501" => return Ok(vec![false; op.rows.len()]),
        Err(error) => return Err(error),
    };
    let columns: Vec<String> =
        table.columns.iter().map(|column| format!("? AS {}", quote(&column.name))).collect();
    let sql = format!("SELECT {policy} FROM (SELECT {}) AS {}", columns.join(", "), physical(&op.table));
    let mut statement = conn.sql.prepare_cached(&sql).map_err(convert)?;
    op.rows
        .iter()
        .map(|row| {
            let cells = table
                .columns
                .iter()
                .map(|column| row.get(&column.name).map_or(Ok(Cell::Null), storage::cell))
                .collect::<Result<Vec<_>>>()?;
            let verdict: Option<bool> =
                statement.query_row(params_from_iter(&cells), |row| row.get(0)).map_err(convert)?;
            Ok(verdict.unwrap_or(false))
        })
        .collect()
}
