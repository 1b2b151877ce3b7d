//! Rows of partitions that come and go.

use rusqlite::Connection;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Partition, PartitionBound, Partitioning, Table, TableName};
use truststream_sql::partitions::only;
use truststream_sql::quote::quote;

use crate::error::convert;
use crate::schema::physical;

/// Deletes the rows of partitions that are dropped, and moves those of partitions that become tables.
pub(super) fn leave(conn: &Connection, before: &Catalog, after: &Catalog) -> Result<()> {
    for (name, old) in &before.tables {
        if after.table(name).is_none() {
            continue;
        }
        for (_, partition) in all(old).filter(|(_, one)| after.partition(&one.name).is_none()) {
            let condition = only(before, name, partition)?;
            let file = physical(name);
            if let Some(table) = after.table(&partition.name) {
                super::make(conn, after, &partition.name, table)?;
                let (own, columns) = (physical(&partition.name), written(table));
                let sql =
                    format!("INSERT INTO {own} ({columns}) SELECT {columns} FROM {file} WHERE {condition}");
                conn.execute_batch(&sql).map_err(convert)?;
            }
            conn.execute_batch(&format!("DELETE FROM {file} WHERE {condition}")).map_err(convert)?;
        }
    }
    Ok(())
}

/// Refuses a new partition while the default one beside it has rows that would belong to it.
pub(super) fn refuse_moved(
    conn: &Connection,
    after: &Catalog,
    name: &TableName,
    (old, new): (&Table, &Table),
) -> Result<()> {
    let known = |name: &TableName| all(old).any(|(_, one)| one.name == *name);
    for (level, partition) in all(new).filter(|(_, one)| !known(&one.name)) {
        let default = level.partitions.iter().find(|one| one.bound == PartitionBound::Default);
        let Some(default) = default.filter(|one| known(&one.name)) else { continue };
        if any(conn, &physical(name), &only(after, name, partition)?)? {
            let message = format!(
                "updated partition constraint for default partition \"{}\" would be violated by some row",
                default.name.name
            );
            return Err(Error::new(ErrorKind::Constraint, "23514", message));
        }
    }
    Ok(())
}

/// Takes over the rows of a table that becomes a partition.
pub(super) fn enter(conn: &Connection, after: &Catalog, part: &TableName) -> Result<()> {
    let Some((name, partition)) = after.partition(part) else { return Ok(()) };
    let file = physical(part);
    if any(conn, &file, &format!("NOT ({})", only(after, name, partition)?))? {
        let message = format!("partition constraint of relation \"{}\" is violated by some row", part.name);
        return Err(Error::new(ErrorKind::Constraint, "23514", message));
    }
    let (into, columns) = (physical(name), after.table(name).map(written).unwrap_or_default());
    let sql = format!("INSERT INTO {into} ({columns}) SELECT {columns} FROM {file}; DROP TABLE {file}");
    conn.execute_batch(&sql).map_err(|error| super::existing::violated(after, error))
}

/// The columns that rows are taken over with.
fn written(table: &Table) -> String {
    let columns = table.columns.iter().filter(|column| column.generated.is_none());
    columns.map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ")
}

/// All partitions of a table, with the levels that they are on.
fn all(table: &Table) -> impl Iterator<Item = (&Partitioning, &Partition)> {
    table.partitioning.iter().flat_map(Partitioning::all)
}

/// Whether a table has rows that meet a condition.
fn any(conn: &Connection, table: &str, condition: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {table} WHERE {condition}");
    conn.prepare(&sql).and_then(|mut statement| statement.exists([])).map_err(convert)
}
