//! `truncate` as SQLite's statements.

use truststream_kernel::Result;
use truststream_services::database::{Catalog, TableName};

use super::numbers;
use super::target::Target;
use crate::expression::file_name;
use crate::quote::quote;

/// What empties tables and partitions.
#[derive(Debug)]
pub struct Emptied {
    /// What deletes the rows of each, in order.
    pub deletes: Vec<(TableName, String)>,
    /// What lets their numbers begin anew, until the transaction is undone.
    pub restarts: Vec<String>,
}

/// The statements that empty tables and partitions, and let the numbers of tables begin anew if they are to.
///
/// # Errors
/// 0A000 for a partition whose rows only PostgreSQL knows.
pub fn emptied(catalog: &Catalog, names: &[TableName], restart: bool) -> Result<Emptied> {
    let mut done = Emptied { deletes: Vec::new(), restarts: Vec::new() };
    for name in names {
        let target = Target::find(catalog, name)?;
        let rows = target.rows(catalog)?.map(|rows| format!(" WHERE {rows}")).unwrap_or_default();
        let delete = format!("DELETE FROM {}{rows}", quote(&file_name(target.name)));
        done.deletes.push((name.clone(), delete));
        // The numbers of a partition are its table's, which goes on.
        if restart && !target.is_partition() {
            done.restarts.extend(numbers::restarted(catalog, target.name, target.table));
        }
    }
    Ok(done)
}
