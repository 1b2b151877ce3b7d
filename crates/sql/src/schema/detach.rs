//! Partitions that become tables of their own.

use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Identity, Partition, PartitionBound, Table, TableKind, TableName,
};

use super::{copy, fault, no_such_table, partitions};

/// `alter table … detach partition …`
///
/// # Errors
/// 42P01 if it is no partition of the table; 0A000 for one whose rows only PostgreSQL knows, or whose numbers
/// go on to be those of its table.
pub(super) fn detach(catalog: &mut Catalog, parent: &TableName, name: &TableName) -> Result<()> {
    let table = catalog.table(parent).ok_or_else(|| no_such_table(parent))?;
    let known = table.partitioning.iter().flat_map(|known| &known.partitions);
    let partition = known.into_iter().find(|one| one.name == *name).ok_or_else(|| {
        let (part, table) = (&name.name, &parent.name);
        fault("42P01", format!("relation \"{part}\" is not a partition of relation \"{table}\""))
    })?;
    if let PartitionBound::Hash { .. } = partition.bound {
        let message = format!("detaching {name}: which rows are in it only PostgreSQL knows");
        return Err(Error::unsupported(message));
    }
    let alone = alone(catalog, (parent, table), partition)?;
    partitions::drop(catalog, name);
    catalog.tables.insert(name.clone(), alone);
    Ok(())
}

/// The table that a partition is by itself: with all rules of the table it was a part of but the triggers and
/// policies, which were not its own.
fn alone(catalog: &Catalog, (parent, table): (&TableName, &Table), partition: &Partition) -> Result<Table> {
    let name = &partition.name;
    let mut alone = Table {
        kind: TableKind::Table,
        columns: table.columns.clone(),
        foreign_keys: table.foreign_keys.clone(),
        checks: table.checks.clone(),
        row_security: partition.row_security,
        grants: partition.grants.clone(),
        ..Table::default()
    };
    for column in &mut alone.columns {
        if column.identity == Some(Identity::Serial) {
            let column = &column.name;
            return Err(Error::unsupported(format!(
                "detaching {name}, whose column {column} shares its numbers with {parent} then: make it an identity"
            )));
        }
        column.identity = None;
        column.comment = None;
    }
    copy::keys(catalog, table, name, &mut alone);
    Ok(alone)
}
