//! Which rows are in which partition of a table, as conditions on its rows.

use truststream_kernel::{Error, Result};
use truststream_services::database::{
    Catalog, Partition, PartitionBound, PartitionBy, Partitioning, PolicyCommand, Table, TableName,
};

use crate::expression::{Scope, compared_type, condition, file_name, to_sqlite};
use crate::grants::denied;
use crate::hash;
use crate::quote::{literal, quote};

/// How the file names the constraint that every row is in a partition.
const CONSTRAINT: &str = "truststream partition of ";

/// The name of the constraint that every row of a table, or of a partition that is divided, is in a partition.
pub fn constraint(file: &str) -> String {
    format!("{CONSTRAINT}{file}")
}

/// What such a constraint is of, as the file names it.
pub fn constrained(constraint: &str) -> Option<&str> {
    constraint.strip_prefix(CONSTRAINT)
}

/// What holds where a partition is called by its own name, as if it were a table: what is said of its table is
/// not asked.
pub fn own(partition: &Partition) -> Table {
    Table { grants: partition.grants.clone(), row_security: partition.row_security, ..Table::default() }
}

/// Refuses a role that may do nothing of the kind by a partition's own name.
///
/// # Errors
/// 42501.
pub fn may(partition: &Partition, role: &str, command: PolicyCommand) -> Result<()> {
    let own = own(partition);
    if own.is_granted(role, command) { Ok(()) } else { Err(denied(&own, &partition.name)) }
}

/// The conditions that rows are in some partition, as SQLite's SQL: that of the table, and that of each partition
/// which is divided itself, by whose name it fails. Where each row is in one there is no condition.
///
/// # Errors
/// Values that can't be compared, and those that only PostgreSQL has the hashes of.
pub fn within<'t>(
    catalog: &Catalog,
    name: &'t TableName,
    table: &'t Table,
) -> Result<Vec<(&'t TableName, String)>> {
    let Some(known) = &table.partitioning else { return Ok(Vec::new()) };
    let scope = Scope::of_table(catalog, name);
    let inner = known.all().into_iter().filter_map(|(_, one)| Some((Some(one), one.partitioning.as_ref()?)));
    let mut conditions = Vec::new();
    for (partition, level) in
        std::iter::once((None, known)).chain(inner).filter(|(_, level)| !takes_all(level))
    {
        let tests = level.partitions.iter().map(|one| test(&scope, level, one));
        let some = any(&tests.collect::<Result<Vec<_>>>()?);
        conditions.push(match partition {
            None => (name, some),
            Some(one) => (&one.name, format!("NOT ({}) OR {some}", only_of(&scope, name, one)?)),
        });
    }
    Ok(conditions)
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
    let known = scope.catalog.table(table).and_then(|table| table.partitioning.as_ref());
    let path = known.map(|known| known.path(&partition.name)).unwrap_or_default();
    if path.is_empty() {
        return Err(Error::internal("a partition of no table"));
    }
    let tests = path.into_iter().map(|(level, one)| test(scope, level, one)).collect::<Result<Vec<_>>>()?;
    Ok(tests.join(" AND "))
}

/// The condition that a row is in a partition rather than in one beside it, as SQLite's SQL.
///
/// # Errors
/// What only PostgreSQL knows.
pub fn beside(
    catalog: &Catalog,
    table: &TableName,
    (level, partition): (&Partitioning, &Partition),
) -> Result<String> {
    test(&Scope::of_table(catalog, table), level, partition)
}

/// The same where columns are named as a scope says. It is never null, and bound like brackets.
fn test(scope: &Scope<'_>, level: &Partitioning, partition: &Partition) -> Result<String> {
    if let PartitionBound::Hash { modulus, remainder } = partition.bound {
        return hashed(scope, level, modulus, remainder);
    }
    let Some(column) = level.columns.first() else { return Ok("0".to_owned()) };
    let column = quote(column);
    let text = match &partition.bound {
        PartitionBound::Default => {
            let others = level.partitions.iter().filter(|one| one.bound != PartitionBound::Default);
            let others: Vec<_> = others.map(|one| bounded(&column, &one.bound)).collect();
            format!("not ({})", if others.is_empty() { "false".to_owned() } else { others.join(" or ") })
        }
        bound => bounded(&column, bound),
    };
    Ok(format!("({})", condition(&text, scope)?))
}

/// The condition that a column's value is within a bound, as PostgreSQL's SQL. It is never null.
fn bounded(column: &str, bound: &PartitionBound) -> String {
    let given = |test: String| format!("({column} is not null and {test})");
    match bound {
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
    }
}

/// The condition that the hash of a row leaves a remainder.
fn hashed(scope: &Scope<'_>, level: &Partitioning, modulus: u64, remainder: u64) -> Result<String> {
    let table = scope.table.and_then(|table| scope.catalog.table(table));
    let mut hashes = String::new();
    for column in &level.columns {
        let known = table.and_then(|table| table.column(column));
        let known = known.filter(|known| hash::is_hashed(&compared_type(known)));
        let ty = known.map(|known| &known.ty).ok_or_else(|| hash::unknown(column))?;
        let cell = to_sqlite(&quote(column), scope)?;
        // What is null is left out.
        hashes.push_str(&format!(", ifnull(ts_hash({}, {cell}), '')", literal(&ty.sql_name())));
    }
    Ok(format!("(ts_hash_remainder({modulus}{hashes}) = {remainder})"))
}

fn any(tests: &[String]) -> String {
    if tests.is_empty() { "0".to_owned() } else { tests.join(" OR ") }
}

/// Whether each row is in one of these partitions.
pub fn takes_all(level: &Partitioning) -> bool {
    if level.by != PartitionBy::Hash {
        return level.partitions.iter().any(|one| one.bound == PartitionBound::Default);
    }
    let moduli = level.partitions.iter().filter_map(|one| match one.bound {
        PartitionBound::Hash { modulus, .. } => Some(modulus),
        _ => None,
    });
    // Each divides the next larger one, so the largest tells how many remainders there are.
    let largest = moduli.clone().max().unwrap_or_default();
    largest > 0 && moduli.map(|modulus| largest / modulus).sum::<u64>() == largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_takes_all_where_each_remainder_is_taken() {
        let hash = |parts: &[(u64, u64)]| Partitioning {
            by: PartitionBy::Hash,
            columns: vec!["a".into()],
            partitions: parts
                .iter()
                .map(|(modulus, remainder)| Partition {
                    name: TableName::public("p"),
                    bound: PartitionBound::Hash { modulus: *modulus, remainder: *remainder },
                    grants: Vec::new(),
                    row_security: false,
                    policies: Vec::new(),
                    partitioning: None,
                })
                .collect(),
        };
        assert!(takes_all(&hash(&[(2, 0), (4, 1), (4, 3)])));
        assert!(!takes_all(&hash(&[(2, 0), (4, 1)])) && !takes_all(&hash(&[])));
    }
}
