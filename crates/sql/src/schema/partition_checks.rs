//! Checks of one partition alone: they stand among those of its table, with its name.

use sqlparser::ast::CheckConstraint;
use truststream_kernel::Result;
use truststream_services::database::{Catalog, Check, Partitioning, Table, TableName};

use super::names::{generated, ident};
use super::{constraints, fault, no_such_table};

/// The partitions on the way to one of a table, itself included.
fn way(table: &Table, partition: &TableName) -> Vec<TableName> {
    let known = table.partitioning.as_ref();
    let path = known.map(|known| known.path(partition)).unwrap_or_default();
    path.into_iter().map(|(_, one)| one.name.clone()).collect()
}

/// The partitions within one of a table.
fn parts(table: &Table, partition: &TableName) -> Vec<TableName> {
    let known = table.partitioning.as_ref();
    let path = known.map(|known| known.path(partition)).unwrap_or_default();
    let level = path.last().and_then(|(_, one)| one.partitioning.as_ref());
    level.into_iter().flat_map(Partitioning::all).map(|(_, one)| one.name.clone()).collect()
}

/// The table that has the rows of a partition.
fn divided<'c>(catalog: &'c mut Catalog, partition: &TableName) -> Result<&'c mut Table> {
    let name = catalog.partition(partition).map(|(name, _)| name.clone());
    let table = name.and_then(|name| catalog.tables.get_mut(&name));
    table.ok_or_else(|| no_such_table(partition))
}

/// Gives a partition a check of its own.
///
/// # Errors
/// 42710 for a name that a check of its rows has already.
pub(super) fn add(catalog: &mut Catalog, partition: &TableName, rule: &CheckConstraint) -> Result<()> {
    let table = divided(catalog, partition)?;
    let concerned = [way(table, partition), parts(table, partition)].concat();
    let taken = |name: &str| {
        let same = |check: &&Check| check.partition.as_ref().is_none_or(|of| concerned.contains(of));
        table.checks.iter().filter(same).any(|check| check.name == name)
    };
    let name = match rule.name.as_ref().map(ident) {
        Some(name) if taken(&name) => return Err(exists(&name, partition)),
        Some(name) => name,
        None => {
            let used = constraints::columns_in(&rule.expr, table);
            let only = if used.len() == 1 { used } else { Vec::new() };
            generated(&partition.name, &only, "check", taken)
        }
    };
    let expression = rule.expr.to_string();
    table.checks.push(Check { name, expression, partition: Some(partition.clone()) });
    Ok(())
}

fn exists(name: &str, partition: &TableName) -> truststream_kernel::Error {
    let text = format!("constraint \"{name}\" for relation \"{}\" already exists", partition.name);
    fault("42710", text)
}

/// Takes a check from a partition.
///
/// # Errors
/// 42704 if it has none of the name, 42P16 if that is one of its table.
pub(super) fn drop(catalog: &mut Catalog, partition: &TableName, name: &str, if_exists: bool) -> Result<()> {
    let table = divided(catalog, partition)?;
    let before = table.checks.len();
    table.checks.retain(|check| check.name != name || check.partition.as_ref() != Some(partition));
    if table.checks.len() < before {
        return Ok(());
    }
    let way = way(table, partition);
    let holds = |check: &&Check| check.partition.as_ref().is_none_or(|of| way.contains(of));
    if table.checks.iter().filter(holds).any(|check| check.name == name) {
        let relation = &partition.name;
        let text = format!("cannot drop inherited constraint \"{name}\" of relation \"{relation}\"");
        return Err(fault("42P16", text));
    }
    if if_exists {
        return Ok(());
    }
    let text = format!("constraint \"{name}\" of relation \"{}\" does not exist", partition.name);
    Err(fault("42704", text))
}

/// Lets partitions have from their table what they had themselves.
///
/// # Errors
/// 42710 for one that has another check of the name.
pub(super) fn merge(table: &mut Table, name: &str, expression: &str) -> Result<()> {
    let mut own = table.checks.iter().filter(|check| check.name == name && check.expression != expression);
    if let Some(partition) = own.find_map(|check| check.partition.as_ref()) {
        return Err(exists(name, partition));
    }
    table.checks.retain(|check| check.name != name || check.partition.is_none());
    Ok(())
}

/// Takes away those of partitions that are gone.
pub(super) fn sweep(table: &mut Table) {
    let known: Vec<TableName> =
        table.partitioning.iter().flat_map(Partitioning::all).map(|(_, one)| one.name.clone()).collect();
    table.checks.retain(|check| check.partition.as_ref().is_none_or(|of| known.contains(of)));
}

/// The checks that a partition has where it is a table of its own.
pub(super) fn alone(table: &Table, partition: &TableName) -> Vec<Check> {
    let (way, parts) = (way(table, partition), parts(table, partition));
    let of = |check: &Check| match &check.partition {
        Some(of) if parts.contains(of) => Some(check.clone()),
        Some(of) if !way.contains(of) => None,
        _ => Some(Check { partition: None, ..check.clone() }),
    };
    table.checks.iter().filter_map(of).collect()
}

/// The checks that a table has beyond those of what it becomes a partition of, as that partition's.
///
/// # Errors
/// 42804 if it lacks one of those.
pub(super) fn entering(
    (table, parent): (&Table, &TableName),
    (part, name): (&Table, &TableName),
) -> Result<Vec<Check>> {
    let way = way(table, parent);
    let demanded =
        table.checks.iter().filter(|check| check.partition.as_ref().is_none_or(|of| way.contains(of)));
    let mut own: Vec<Check> = part.checks.clone();
    for check in demanded {
        let same = |one: &Check| {
            one.partition.is_none() && one.name == check.name && one.expression == check.expression
        };
        let Some(at) = own.iter().position(same) else {
            let text = format!("child table is missing constraint \"{}\"", check.name);
            return Err(fault("42804", text));
        };
        own.remove(at);
    }
    let placed = |check: Check| {
        let partition = check.partition.unwrap_or_else(|| name.clone());
        Check { partition: Some(partition), ..check }
    };
    Ok(own.into_iter().map(placed).collect())
}
