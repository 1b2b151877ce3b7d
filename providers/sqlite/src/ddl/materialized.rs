//! Materialized views in the file: tables that keep the rows a query gave.

use rusqlite::{Connection, OptionalExtension};
use truststream_kernel::Result;
use truststream_services::database::{Catalog, Table, TableName};
use truststream_sql::quote::quote;
use truststream_sql::sqlite::materialized::{filling, refresh};

use super::{indexes, stored};
use crate::error::convert;
use crate::schema::{physical, physical_name};

/// Makes and fills a materialized view that is not there.
pub(crate) fn create(conn: &Connection, catalog: &Catalog, name: &TableName, view: &Table) -> Result<()> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1";
    let known = conn.query_row(sql, [physical_name(name)], |_| Ok(())).optional().map_err(convert)?;
    if known.is_some() {
        return Ok(());
    }
    let columns: Vec<String> = view
        .columns
        .iter()
        .map(|column| format!("{} {}", quote(&column.name), stored(column, false)))
        .collect();
    conn.execute_batch(&format!("CREATE TABLE {} ({})", physical(name), columns.join(", ")))
        .map_err(convert)?;
    conn.execute_batch(&filling(catalog, name, view)?).map_err(convert)?;
    indexes(conn, catalog, name, view)
}

/// Takes away those that the next catalog has not, or has otherwise.
pub(super) fn remove(conn: &Connection, before: &Catalog, after: &Catalog) -> Result<()> {
    let same = |name: &TableName, old: &Table| {
        let alike =
            |new: &Table| new.kind == old.kind && new.columns == old.columns && new.indexes == old.indexes;
        after.table(name).is_some_and(alike)
    };
    for (name, old) in before.tables.iter().filter(|(_, table)| table.is_materialized()) {
        if !same(name, old) {
            conn.execute_batch(&format!("DROP TABLE IF EXISTS {}", physical(name))).map_err(convert)?;
        }
    }
    Ok(())
}

/// Fills all of them anew: rows came that their queries read.
pub(crate) fn refresh_all(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for (name, _) in catalog.tables.iter().filter(|(_, table)| table.is_materialized()) {
        for sql in refresh(catalog, name)? {
            conn.execute_batch(&sql).map_err(convert)?;
        }
    }
    Ok(())
}
