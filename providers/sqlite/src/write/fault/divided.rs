//! Rows of divided tables that could not be written: PostgreSQL names the partition they were to go to.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Partition, PartitionBy, Table, TableName};
use truststream_sql::partitions::only;
use truststream_sql::quote::quote;

use super::{Given, shown};
use crate::ddl::existing;
use crate::error::convert;
use crate::storage;
use crate::write::Write;

/// Where a row was to go.
pub(super) enum Place {
    /// To this partition.
    In(TableName),
    /// To none of its divided table.
    Nowhere,
    /// The table is not divided, or only PostgreSQL can tell.
    Unknown,
}

/// Where a row was to go: PostgreSQL finds that out before it looks at the row's rules.
pub(super) fn place(
    write: &Write<'_>,
    (name, table): (&TableName, &Table),
    given: &Given<'_>,
    targets: &[i64],
) -> Place {
    let known = table.partitioning.as_ref().filter(|known| known.by != PartitionBy::Hash);
    let Some(partitioning) = known.filter(|_| !given.is_empty() && targets.len() < 2) else {
        return Place::Unknown;
    };
    let holds = |partition: &Partition| -> Result<bool> {
        let Some(column) = partitioning.columns.first().and_then(|column| table.column(column)) else {
            return Ok(false);
        };
        let cell = storage::cell(&write.value_of(name, column, given, targets)?)?;
        let condition = only(&write.schema.catalog, name, partition)?;
        let sql = format!("SELECT {condition} FROM (SELECT ?1 AS {})", quote(&column.name));
        write.conn.sql.query_row(&sql, [&cell], |row| row.get(0)).map_err(convert)
    };
    for partition in &partitioning.partitions {
        match holds(partition) {
            Ok(true) => return Place::In(partition.name.clone()),
            Ok(false) => {}
            Err(_) => return Place::Unknown,
        }
    }
    Place::Nowhere
}

/// The error of a row that goes to none.
pub(super) fn in_none(
    write: &Write<'_>,
    (name, table): (&TableName, &Table),
    given: &Given<'_>,
    targets: &[i64],
) -> Error {
    let error = existing::in_none(name);
    let Some(partitioning) = &table.partitioning else { return error };
    let text = |column: &String| {
        let column = table.column(column)?;
        let value = write.value_of(name, column, given, targets).ok()?;
        Some(shown(&value, column))
    };
    match partitioning.columns.iter().map(text).collect::<Option<Vec<_>>>() {
        Some(texts) if !given.is_empty() && targets.len() < 2 => {
            let (columns, texts) = (partitioning.columns.join(", "), texts.join(", "));
            error.with_details(format!("Partition key of the failing row contains ({columns}) = ({texts})."))
        }
        _ => error,
    }
}

/// The name that a partition's own key has.
pub(super) fn key(part: &TableName, primary: bool, columns: &[&str]) -> String {
    match primary {
        true => format!("{}_pkey", part.name),
        false => format!("{}_{}_key", part.name, columns.join("_")),
    }
}
