//! Rows of divided tables that can't be written: PostgreSQL names the partition they were to go to.

use mongodb::bson::Document;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{PolicyCommand, Table, TableName};
use truststream_sql::partitions::may;

use super::Named;
use super::fault::{failing_row, texts};
use crate::access::Access;
use crate::partition::{Goes, Share, goes};
use crate::work::Work;

/// The relation that errors name for a row: its partition, or the table.
///
/// # Errors
/// 23514 for a row that goes to none of its partitions.
pub(super) fn relation<'t>((name, table): Named<'t>, row: &Document) -> Result<&'t TableName> {
    match goes(table, row)? {
        Goes::Into(partition) => Ok(&partition.name),
        Goes::Unknown => Ok(name),
        Goes::Nowhere(level, within) => {
            let divided = &within.unwrap_or(name).name;
            let message = format!("no partition of relation \"{divided}\" found for row");
            Err(Error::new(ErrorKind::Constraint, "23514", message).with_details(format!(
                "Partition key of the failing row contains ({}) = ({}).",
                level.columns.join(", "),
                texts(table, &level.columns, row)
            )))
        }
    }
}

/// The error of a row that is not in the partition it was to be written to by name.
pub(super) fn outside(partition: &TableName, table: &Table, row: &Document) -> Error {
    let message = format!("new row for relation \"{}\" violates partition constraint", partition.name);
    Error::new(ErrorKind::Constraint, "23514", message).with_details(failing_row(table, row))
}

impl Work {
    /// The share of a table that is written by the name of a partition.
    pub(super) fn share_of(&self, name: &TableName) -> Option<&Share> {
        self.share.as_ref().filter(|share| share.table == *name)
    }

    /// Refuses a caller that such a share is closed to.
    ///
    /// # Errors
    /// 42501.
    pub(super) fn may_share(&self, share: &Share, command: PolicyCommand) -> Result<()> {
        match Access::of(&self.cx).role().filter(|_| !self.owner) {
            Some(role) => may(&share.partition, role, command),
            None => Ok(()),
        }
    }
}

/// The name that the key of a table has where it is that of a row's partition.
pub(super) fn key_name(named: Named<'_>, row: Option<&Document>, own: String, columns: &[String]) -> String {
    let part = row.and_then(|row| relation(named, row).ok()).filter(|part| *part != named.0);
    let Some(part) = part else { return own };
    let suffix = match own.as_str() {
        own if named.1.unique_keys.iter().any(|key| key.name == own) => "key",
        own if named.1.indexes.iter().any(|index| index.name == own) => "idx",
        _ => return format!("{}_pkey", part.name),
    };
    format!("{}_{}_{suffix}", part.name, columns.join("_"))
}
