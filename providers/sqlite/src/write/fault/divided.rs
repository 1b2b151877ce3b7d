//! Rows of divided tables that could not be written: PostgreSQL names the partition they were to go to.

use rusqlite::params_from_iter;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Partition, Partitioning, Table, TableName};
use truststream_sql::partitions::beside;
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
    /// To none of this table, or of this partition, which is divided itself.
    Nowhere(TableName),
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
    let known = table.partitioning.as_ref().filter(|_| !given.is_empty() && targets.len() < 2);
    let Some(mut level) = known else { return Place::Unknown };
    let mut divided = name;
    loop {
        let mut found = None;
        for partition in &level.partitions {
            match holds(write, (name, table), (level, partition), given, targets) {
                Ok(true) => found = Some(partition),
                Ok(false) => {}
                Err(_) => return Place::Unknown,
            }
        }
        let Some(found) = found else { return Place::Nowhere(divided.clone()) };
        divided = &found.name;
        match &found.partitioning {
            Some(within) => level = within,
            None => return Place::In(divided.clone()),
        }
    }
}

/// Whether a row is in this partition among those beside it.
fn holds(
    write: &Write<'_>,
    (name, table): (&TableName, &Table),
    (level, partition): (&Partitioning, &Partition),
    given: &Given<'_>,
    targets: &[i64],
) -> Result<bool> {
    let columns = level.columns.iter().filter_map(|column| table.column(column));
    let (mut names, mut cells) = (Vec::new(), Vec::new());
    for (at, column) in columns.enumerate() {
        names.push(format!("?{} AS {}", at + 1, quote(&column.name)));
        cells.push(storage::cell(&write.value_of(name, column, given, targets)?)?);
    }
    let condition = beside(&write.schema.catalog, name, (level, partition))?;
    let sql = format!("SELECT {condition} FROM (SELECT {})", names.join(", "));
    write.conn.sql.query_row(&sql, params_from_iter(&cells), |row| row.get(0)).map_err(convert)
}

/// The error of a row that goes to none of a table, or of its partition that is divided itself.
pub(super) fn in_none(
    write: &Write<'_>,
    (name, table): (&TableName, &Table),
    divided: &TableName,
    given: &Given<'_>,
    targets: &[i64],
) -> Error {
    let error = existing::in_none(divided);
    let part = write.schema.catalog.partition(divided);
    let level = part.map_or(&table.partitioning, |(_, one)| &one.partitioning);
    let Some(level) = level else { return error };
    let text = |column: &String| {
        let column = table.column(column)?;
        let value = write.value_of(name, column, given, targets).ok()?;
        Some(shown(&value, column))
    };
    match level.columns.iter().map(text).collect::<Option<Vec<_>>>() {
        Some(texts) if !given.is_empty() && targets.len() < 2 => {
            let (columns, texts) = (level.columns.join(", "), texts.join(", "));
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
