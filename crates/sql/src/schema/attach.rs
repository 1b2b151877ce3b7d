//! Tables that become partitions, and partitions that become tables of their own.

use sqlparser::ast::ForValues;
use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Identity, Index, Partition, Table, TableKind, TableName,
};

use super::partitions::{bound, divided, insert, take};
use super::sequences::row_number;
use super::{copy, fault, no_such_table, partition_checks};

/// `alter table … attach partition … for values …`
pub(super) fn attach(
    catalog: &mut Catalog,
    parent: &TableName,
    name: &TableName,
    values: &ForValues,
) -> Result<()> {
    let (_, table, level) = divided(catalog, parent)?;
    let part = catalog.table(name).ok_or_else(|| no_such_table(name))?;
    if part.kind != TableKind::Table {
        return Err(Error::unsupported(format!("attaching {name}, which is no table")));
    }
    let columns = |table: &Table| {
        let mut columns: Vec<_> =
            table.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
        columns.sort_by(|one, other| one.0.cmp(&other.0));
        columns
    };
    if columns(table) != columns(part) {
        let message = format!("table \"{}\" has other columns than \"{}\"", name.name, parent.name);
        return Err(fault("42804", message));
    }
    let checks = partition_checks::entering((table, parent), (part, name))?;
    let taken =
        |column: &&Column| !column.nullable && part.column(&column.name).is_some_and(|one| one.nullable);
    if let Some(column) = table.columns.iter().find(taken) {
        let message = format!("column \"{}\" in child table must be marked NOT NULL", column.name);
        return Err(fault("42804", message));
    }
    if has_rules(table, part) {
        let message = format!("attaching {name}, which has rules of its own: give them to {parent}");
        return Err(Error::unsupported(message));
    }
    let bound = bound(table, level, (name, values))?;
    let Some(part) = catalog.tables.shift_remove(name) else { return Ok(()) };
    let Table { grants, row_security, policies, partitioning, .. } = part;
    let made = Partition { name: name.clone(), bound, grants, row_security, policies, partitioning };
    insert(catalog, parent, made)?;
    let top = catalog.partition(name).map(|(top, _)| top.clone());
    if let Some(table) = top.and_then(|top| catalog.tables.get_mut(&top)) {
        table.checks.extend(checks);
    }
    Ok(())
}

/// Whether a table has rules that the one it is to be a part of has not.
fn has_rules(table: &Table, part: &Table) -> bool {
    let refers =
        |key: &ForeignKey| (key.columns.clone(), key.references.clone(), key.referenced_columns.clone());
    let known: Vec<_> = table.foreign_keys.iter().map(refers).collect();
    let keys: Vec<_> = table.unique_keys.iter().map(|key| &key.columns).chain([&table.primary_key]).collect();
    let own = part.unique_keys.iter().map(|key| &key.columns).chain([&part.primary_key]);
    let unnamed = |index: &Index| Index { name: String::new(), ..index.clone() };
    let indexes: Vec<_> = table.indexes.iter().map(unnamed).collect();
    part.foreign_keys.iter().map(refers).any(|key| !known.contains(&key))
        || own.into_iter().any(|key| !key.is_empty() && !keys.contains(&key))
        || part.indexes.iter().any(|index| index.unique && !indexes.contains(&unnamed(index)))
        || !part.triggers.is_empty()
}

/// `alter table … detach partition …`
///
/// # Errors
/// 42P01 if it is no partition of the table; 0A000 for one whose rows can't be numbered apart from its table's.
pub(super) fn detach(catalog: &mut Catalog, parent: &TableName, name: &TableName) -> Result<()> {
    let (top, table, level) = divided(catalog, parent)?;
    let partition = level.partitions.iter().find(|one| one.name == *name).ok_or_else(|| {
        let (part, table) = (&name.name, &parent.name);
        fault("42P01", format!("relation \"{part}\" is not a partition of relation \"{table}\""))
    })?;
    let (top, alone) = (top.clone(), alone(catalog, (top, table), partition)?);
    if let Some(table) = catalog.tables.get_mut(&top) {
        table.partitioning.as_mut().map(|known| take(known, name));
        partition_checks::sweep(table);
    }
    catalog.tables.insert(name.clone(), alone);
    Ok(())
}

/// The table that a partition is by itself: with all rules of the table it was a part of but the triggers and
/// policies, of which it has those that were its own.
fn alone(catalog: &Catalog, (top, table): (&TableName, &Table), partition: &Partition) -> Result<Table> {
    let name = &partition.name;
    let mut alone = Table {
        kind: TableKind::Table,
        columns: table.columns.clone(),
        foreign_keys: table.foreign_keys.clone(),
        checks: partition_checks::alone(table, name),
        row_security: partition.row_security,
        policies: partition.policies.clone(),
        grants: partition.grants.clone(),
        partitioning: partition.partitioning.clone(),
        ..Table::default()
    };
    let by_row = row_number(catalog, top, table).map(|column| &column.name);
    for column in &mut alone.columns {
        // The default of a serial one goes on to take the numbers of the table it was a part of.
        if column.identity == Some(Identity::Serial) && by_row == Some(&column.name) {
            let column = &column.name;
            return Err(Error::unsupported(format!(
                "detaching {name}, whose column {column} shares its numbers with {top} then: make it an identity"
            )));
        }
        column.identity = None;
        column.comment = None;
    }
    copy::keys(catalog, table, name, &mut alone);
    Ok(alone)
}
