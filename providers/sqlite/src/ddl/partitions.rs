//! Rows of partitions that come and go.

use rusqlite::Connection;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Partition, PartitionBound, Table, TableName};
use truststream_sql::partitions::only;
use truststream_sql::quote::quote;

use crate::error::convert;
use crate::schema::physical;

/// Deletes the rows of partitions that are dropped, and moves those of partitions that become tables.
pub(super) fn leave(conn: &Connection, before: &Catalog, after: &Catalog) -> Result<()> {
    for (name, old) in &before.tables {
        let Some(new) = after.table(name) else { continue };
        for partition in partitions(old).iter().filter(|one| !partitions(new).contains(one)) {
            if partitions(new).iter().any(|one| one.name == partition.name) {
                continue;
            }
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

/// Refuses a new partition while the default one has rows that would belong to it.
pub(super) fn refuse_moved(
    conn: &Connection,
    after: &Catalog,
    name: &TableName,
    (old, new): (&Table, &Table),
) -> Result<()> {
    let Some(default) = partitions(old).iter().find(|one| one.bound == PartitionBound::Default) else {
        return Ok(());
    };
    for partition in partitions(new).iter().filter(|one| !partitions(old).contains(one)) {
        if matches!(partition.bound, PartitionBound::Hash { .. } | PartitionBound::Default) {
            continue;
        }
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
    // Where the rows of a hash go is PostgreSQL's own matter.
    if !matches!(partition.bound, PartitionBound::Hash { .. })
        && any(conn, &file, &format!("NOT ({})", only(after, name, partition)?))?
    {
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

fn partitions(table: &Table) -> &[Partition] {
    table.partitioning.as_ref().map_or(&[], |known| &known.partitions)
}

/// Whether a table has rows that meet a condition.
fn any(conn: &Connection, table: &str, condition: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {table} WHERE {condition}");
    conn.prepare(&sql).and_then(|mut statement| statement.exists([])).map_err(convert)
}
