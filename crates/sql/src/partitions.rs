//! Which rows are in which partition of a table, as conditions on its rows.

use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Partition, PartitionBound, PartitionBy, Partitioning, PolicyCommand, Table, TableName,
};

use crate::expression::{Scope, condition, file_name};
use crate::grants::{denied, granted};
use crate::quote::{literal, quote};

/// How the file names the constraint that every row is in a partition.
const CONSTRAINT: &str = "truststream partition of ";

/// The name of the constraint that every row of a table is in a partition.
pub fn constraint(file: &str) -> String {
    format!("{CONSTRAINT}{file}")
}

/// The table in the file that such a constraint is of.
pub fn constrained(constraint: &str) -> Option<&str> {
    constraint.strip_prefix(CONSTRAINT)
}

/// Whether a partition's rows are open to a command by the partition's own name. What policies of its table
/// say is not asked, and it has none of its own: where row-level security is on no row is open.
///
/// # Errors
/// 42501 if it is closed to the role.
pub fn open(partition: &Partition, role: Option<&str>, command: PolicyCommand) -> Result<bool> {
    let Some(role) = role else { return Ok(true) };
    let own = Table { grants: partition.grants.clone(), ..Table::default() };
    if granted(&own, role, command) {
        return Ok(!partition.row_security);
    }
    Err(denied(&own, &partition.name))
}

/// The condition that a row is in some partition, as SQLite's SQL.
///
/// # Errors
/// Values that can't be compared.
pub fn within(catalog: &Catalog, name: &TableName, table: &Table) -> Result<Option<String>> {
    let Some(partitioning) = &table.partitioning else { return Ok(None) };
    let open = partitioning.partitions.iter().any(|one| one.bound == PartitionBound::Default);
    Ok(Some(match partitioning.by {
        _ if open => "1".to_owned(),
        PartitionBy::Hash if is_whole(partitioning) => "1".to_owned(),
        PartitionBy::Hash => {
            let message = format!("partitions of {name} are missing: where rows go only PostgreSQL knows");
            format!("ts_refuse({})", literal(&message))
        }
        _ => condition(&of_any(partitioning, &partitioning.partitions), &Scope::of_table(catalog, name))?,
    }))
}

/// The rows of a partition as a query in brackets, as SQLite's SQL.
///
/// # Errors
/// What only PostgreSQL knows.
pub fn rows(catalog: &Catalog, table: &TableName, partition: &Partition) -> Result<String> {
    let condition = only(catalog, table, partition)?;
    Ok(format!("(SELECT * FROM {} WHERE {condition})", quote(&file_name(table))))
}

/// The condition that a row of a table is in one of its partitions, as SQLite's SQL.
///
/// # Errors
/// What only PostgreSQL knows.
pub fn only(catalog: &Catalog, table: &TableName, partition: &Partition) -> Result<String> {
    only_of(&Scope::of_table(catalog, table), table, partition)
}

/// The same where columns of the table are named as a scope says.
pub(crate) fn only_of(scope: &Scope<'_>, table: &TableName, partition: &Partition) -> Result<String> {
    let catalog = scope.catalog;
    let known = catalog.table(table).and_then(|table| table.partitioning.as_ref());
    let Some(partitioning) = known else { return Err(Error::internal("a partition of no table")) };
    let text = match &partition.bound {
        PartitionBound::Hash { .. } => {
            let name = &partition.name;
            return Err(Error::unsupported(format!(
                "which rows are in {name} only PostgreSQL knows: it goes by a hash"
            )));
        }
        PartitionBound::Default if partitioning.by == PartitionBy::Hash => {
            return Err(Error::internal("a hash that leaves something over"));
        }
        PartitionBound::Default => {
            let others: Vec<_> = partitioning
                .partitions
                .iter()
                .filter(|one| one.bound != PartitionBound::Default)
                .cloned()
                .collect();
            format!("not ({})", of_any(partitioning, &others))
        }
        _ => of_any(partitioning, std::slice::from_ref(partition)),
    };
    condition(&text, scope).map_err(Error::from)
}

/// The condition that a row is in one of these, as PostgreSQL's SQL. It is never null.
fn of_any(partitioning: &Partitioning, partitions: &[Partition]) -> String {
    let Some(column) = partitioning.columns.first() else { return "false".to_owned() };
    let column = quote(column);
    let given = |test: String| format!("({column} is not null and {test})");
    let one = |partition: &Partition| match &partition.bound {
        PartitionBound::In(values) => {
            let texts: Vec<_> = values.iter().flatten().map(|text| literal(text)).collect();
            let mut tests = Vec::new();
            if !texts.is_empty() {
                tests.push(given(format!("{column} in ({})", texts.join(", "))));
            }
            if values.contains(&None) {
                tests.push(format!("{column} is null"));
            }
            format!("({})", tests.join(" or "))
        }
        PartitionBound::Range { from, to } => {
            let mut tests = Vec::new();
            tests.extend(from.as_ref().map(|from| format!("{column} >= {}", literal(from))));
            tests.extend(to.as_ref().map(|to| format!("{column} < {}", literal(to))));
            given(if tests.is_empty() { "true".to_owned() } else { tests.join(" and ") })
        }
        PartitionBound::Hash { .. } | PartitionBound::Default => "false".to_owned(),
    };
    match partitions {
        [] => "false".to_owned(),
        _ => partitions.iter().map(one).collect::<Vec<_>>().join(" or "),
    }
}

/// Whether every hash leaves a remainder that some partition takes.
fn is_whole(partitioning: &Partitioning) -> bool {
    let bounds = || {
        partitioning.partitions.iter().filter_map(|one| match one.bound {
            PartitionBound::Hash { modulus, remainder } => Some((modulus, remainder)),
            _ => None,
        })
    };
    // Each modulus divides the next larger one, so the largest tells how many remainders there are.
    let largest = bounds().map(|(modulus, _)| modulus).max().unwrap_or_default();
    largest > 0 && bounds().map(|(modulus, _)| largest / modulus).sum::<u64>() == largest
}
