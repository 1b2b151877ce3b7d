//! What `truncate` empties.

use sqlparser::ast::{CascadeOption, Truncate};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, TableName};

use crate::schema::{no_such_table, table_name};

/// The tables and partitions to empty, those that refer to others before them; with `cascade` all that refer
/// to what is named are among them.
///
/// # Errors
/// 42P01 if there is none of a name; 0A000, as PostgreSQL has it, if others refer to one.
pub fn emptied(catalog: &Catalog, truncate: &Truncate) -> Result<Vec<TableName>> {
    let mut names: Vec<TableName> =
        truncate.table_names.iter().map(|target| table_name(&target.name)).collect();
    let cascade = truncate.cascade == Some(CascadeOption::Cascade);
    let mut at = 0;
    while let Some(name) = names.get(at).cloned() {
        // What refers to a table refers to its partitions as well.
        let divided = catalog.partition(&name).map_or(&name, |(table, _)| table);
        if catalog.table(divided).is_none() {
            return Err(no_such_table(&name));
        }
        for (other, table) in &catalog.tables {
            let refers = table.foreign_keys.iter().any(|key| key.references == *divided);
            if !refers || names.contains(other) {
                continue;
            }
            if !cascade {
                let text = "cannot truncate a table referenced in a foreign key constraint";
                return Err(Error::unsupported(text)
                    .with_details(format!("Table \"{}\" references \"{}\".", other.name, name.name))
                    .with_hint("Truncate both at the same time, or use TRUNCATE ... CASCADE."));
            }
            names.push(other.clone());
        }
        at += 1;
    }
    names.reverse();
    Ok(names)
}
