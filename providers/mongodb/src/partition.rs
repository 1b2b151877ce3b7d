//! Which rows are in which partition of a table. The rows lie together in the table's collection; a partition
//! is a name for those that a condition holds for.

use std::cmp::Ordering;

use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::value::decimal;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{
    Catalog, Partition, PartitionBound, PartitionBy, Partitioning, PolicyCommand, Table, TableKind, TableName,
};
use truststream_sql::expression::compared_type;
use truststream_sql::hash;
use truststream_sql::partitions::takes_all;

use crate::names::{collection, field};
use crate::plan::{Condition, Place, Plan, Planner};
use crate::storage;
use crate::term::{Relation, Term, Want, all, any, constant, not};

/// Where a row is to go.
#[derive(Debug)]
pub(crate) enum Goes<'t> {
    /// To this partition, which is not divided itself.
    Into(&'t Partition),
    /// To none of these, which the table, or a partition of this name, is divided into.
    Nowhere(&'t Partitioning, Option<&'t TableName>),
    /// The table is not divided, or only PostgreSQL can tell.
    Unknown,
}

/// What a bound says of the column that a table is divided by; its values are as columns store them.
enum Test {
    OneOf(Vec<Option<Bson>>),
    Between(Option<Bson>, Option<Bson>),
}

impl Test {
    /// The test of a bound; `None` where it is not the value that decides.
    fn of(bound: &PartitionBound, ty: &Type) -> Result<Option<Self>> {
        let stored = |text: &String| storage::bson(&Value::parse(ty, text)?, ty);
        let end = |text: &Option<String>| text.as_ref().map(stored).transpose();
        Ok(match bound {
            PartitionBound::In(values) => Some(Test::OneOf(values.iter().map(end).collect::<Result<_>>()?)),
            PartitionBound::Range { from, to } => Some(Test::Between(end(from)?, end(to)?)),
            PartitionBound::Hash { .. } | PartitionBound::Default => None,
        })
    }

    /// The condition that it holds, which is never null.
    fn condition(&self, catalog: &Catalog, column: &Term) -> Bson {
        let compared = |relation, value: &Bson| {
            let value = Term::new(constant(value.clone()), column.ty.clone());
            column.compare(catalog, relation, &value, Want::True)
        };
        match self {
            Test::OneOf(values) => any(values
                .iter()
                .map(|value| match value {
                    Some(value) => compared(Relation::Eq, value),
                    None => column.is_null(Want::True),
                })
                .collect()),
            Test::Between(from, to) => {
                let mut tests = vec![column.is_null(Want::False)];
                tests.extend(from.as_ref().map(|from| compared(Relation::Ge, from)));
                tests.extend(to.as_ref().map(|to| compared(Relation::Lt, to)));
                all(tests)
            }
        }
    }

    fn holds(&self, value: &Bson) -> bool {
        match self {
            Test::OneOf(values) => values.iter().any(|one| match one {
                Some(one) => order(value, one) == Some(Ordering::Equal),
                None => *value == Bson::Null,
            }),
            Test::Between(from, to) => {
                let from = from.as_ref().map(|from| order(value, from));
                let to = to.as_ref().map(|to| order(value, to));
                *value != Bson::Null
                    && from.is_none_or(|order| matches!(order, Some(Ordering::Greater | Ordering::Equal)))
                    && to.is_none_or(|order| order == Some(Ordering::Less))
            }
        }
    }
}

/// How stored values of one type stand to one another: those that tables are divided into ranges by in
/// PostgreSQL's order, others only where they are equal.
fn order(one: &Bson, other: &Bson) -> Option<Ordering> {
    match (one, other) {
        (Bson::Int64(one), Bson::Int64(other)) => Some(one.cmp(other)),
        (Bson::Decimal128(_), _) | (_, Bson::Decimal128(_)) => {
            Some(decimal::compare(&storage::number_text(one)?, &storage::number_text(other)?))
        }
        _ => (one == other).then_some(Ordering::Equal),
    }
}

/// All partitions of a table, with the levels that they are on.
pub(crate) fn partitions(table: &Table) -> impl Iterator<Item = (&Partitioning, &Partition)> {
    table.partitioning.iter().flat_map(Partitioning::all)
}

/// The column that decides on a level, and its type.
fn deciding<'t>(table: &'t Table, level: &Partitioning) -> Result<(&'t str, &'t Type)> {
    let column = level.columns.first().and_then(|column| table.column(column));
    let column = column.ok_or_else(|| Error::internal("a table divided by a column that is not there"))?;
    Ok((&column.name, &column.ty))
}

/// The condition that a document of a table is in one of its partitions.
///
/// # Errors
/// 0A000 for one that goes by a hash.
pub(crate) fn only(catalog: &Catalog, name: &TableName, partition: &Partition) -> Result<Bson> {
    let table = catalog.table(name).and_then(|table| Some((table, table.partitioning.as_ref()?)));
    let (table, partitioning) = table.ok_or_else(|| Error::internal("a partition of no table"))?;
    let mut conditions = Vec::new();
    for (level, one) in partitioning.path(&partition.name) {
        if level.by == PartitionBy::Hash {
            let message =
                format!("this database can't tell the rows of {}: it goes by a hash", partition.name);
            return Err(Error::unsupported(message));
        }
        let (column, ty) = deciding(table, level)?;
        let column = Term::stored(Place::of(name).path(column), ty.clone());
        let condition = |one: &Partition| {
            Ok::<_, Error>(Test::of(&one.bound, ty)?.map(|test| test.condition(catalog, &column)))
        };
        conditions.push(match condition(one)? {
            Some(condition) => condition,
            None => {
                let others = level.partitions.iter().map(condition).collect::<Result<Vec<_>>>()?;
                not(any(others.into_iter().flatten().collect()))
            }
        });
    }
    Ok(all(conditions))
}

/// Where a row of a table is to go.
///
/// # Errors
/// 0A000 where only PostgreSQL knows whether it goes anywhere.
pub(crate) fn goes<'t>(table: &'t Table, row: &Document) -> Result<Goes<'t>> {
    let Some(mut level) = table.partitioning.as_ref() else { return Ok(Goes::Unknown) };
    let mut within = None;
    loop {
        let into = match picked(table, level, row) {
            Ok(into) => into,
            Err(_) if takes_all(level) && level.partitions.iter().all(|one| one.partitioning.is_none()) => {
                return Ok(Goes::Unknown);
            }
            Err(error) => return Err(error),
        };
        let Some(into) = into else { return Ok(Goes::Nowhere(level, within)) };
        match &into.partitioning {
            Some(divided) => (level, within) = (divided, Some(&into.name)),
            None => return Ok(Goes::Into(into)),
        }
    }
}

/// The partition among these that a row goes to.
fn picked<'t>(table: &Table, level: &'t Partitioning, row: &Document) -> Result<Option<&'t Partition>> {
    if level.by == PartitionBy::Hash {
        let hashes = level.columns.iter().map(|column| hashed(table, column, row));
        let hashes = hashes.collect::<Result<Vec<_>>>()?;
        let leaves = |one: &&Partition| match one.bound {
            PartitionBound::Hash { modulus, remainder } => {
                hash::remainder(hashes.iter().copied(), modulus) == remainder
            }
            _ => false,
        };
        return Ok(level.partitions.iter().find(leaves));
    }
    let (column, ty) = deciding(table, level)?;
    let value = row.get(field(column)).unwrap_or(&Bson::Null);
    let mut default = None;
    for partition in &level.partitions {
        match Test::of(&partition.bound, ty)? {
            Some(test) if test.holds(value) => return Ok(Some(partition)),
            Some(_) => {}
            None => default = Some(partition),
        }
    }
    Ok(default)
}

/// The hash of a row's value; `None` for null.
fn hashed(table: &Table, column: &str, row: &Document) -> Result<Option<u64>> {
    let known = table.column(column).filter(|known| hash::is_hashed(&compared_type(known)));
    let known = known.ok_or_else(|| hash::unknown(column))?;
    Ok(hash::of(&storage::value(row.get(field(column)).unwrap_or(&Bson::Null), &known.ty)?))
}

/// Whether it is known of each row of a table whether it is in a partition.
///
/// # Errors
/// 0A000 for one that goes by a hash which only PostgreSQL knows.
pub(crate) fn told(table: &Table, partition: &TableName) -> Result<()> {
    let path = table.partitioning.as_ref().map(|known| known.path(partition)).unwrap_or_default();
    let by_hash = path.iter().filter(|(level, _)| level.by == PartitionBy::Hash);
    by_hash.flat_map(|(level, _)| &level.columns).try_for_each(|column| {
        let known = table.column(column).filter(|known| hash::is_hashed(&compared_type(known)));
        known.map(drop).ok_or_else(|| hash::unknown(column))
    })
}

/// What a statement on rows names: a table, or a partition of one by its own name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'s> {
    /// The table that the rows are in.
    pub(crate) name: &'s TableName,
    pub(crate) table: &'s Table,
    pub(crate) partition: Option<&'s Partition>,
}

impl<'s> Target<'s> {
    /// # Errors
    /// 42P01 if there is nothing of the name, 0A000 for views and for partitions that go by a hash.
    pub(crate) fn find(catalog: &'s Catalog, named: &TableName) -> Result<Self> {
        let missing = || {
            let message = format!("relation \"{}\" does not exist", named.name);
            Error::new(ErrorKind::NotFound, "42P01", message)
        };
        let (name, table, partition) = catalog.relation(named).ok_or_else(missing)?;
        if table.kind != TableKind::Table {
            return Err(Error::unsupported(format!(
                "statements on rows write to tables only, not to view {name}"
            )));
        }
        partition.map(|partition| only(catalog, name, partition)).transpose()?;
        Ok(Target { name, table, partition })
    }

    /// What is written by the name of a partition.
    pub(crate) fn share(&self) -> Option<Share> {
        let partition = self.partition?.clone();
        Some(Share { table: self.name.clone(), partition })
    }
}

/// A table's share that a statement writes by the name of a partition.
#[derive(Clone, Debug)]
pub(crate) struct Share {
    pub(crate) table: TableName,
    pub(crate) partition: Partition,
}

impl Share {
    /// Whether a row of the table is in it.
    ///
    /// # Errors
    /// 0A000 where only PostgreSQL knows.
    pub(crate) fn has(&self, table: &Table, row: &Document) -> Result<bool> {
        let known = table.partitioning.as_ref();
        for (level, one) in known.map(|known| known.path(&self.partition.name)).unwrap_or_default() {
            if picked(table, level, row)?.is_none_or(|into| into.name != one.name) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Planner<'_> {
    /// The rows of a partition by its own name that are open to commands: who may is a matter of its own
    /// grants and policies.
    ///
    /// # Errors
    /// 42501 if it is closed to the caller, 0A000 for what only PostgreSQL knows.
    pub(crate) fn partition(
        &mut self,
        name: &TableName,
        partition: &Partition,
        commands: &[PolicyCommand],
    ) -> Result<Plan> {
        let mut stages = vec![doc! { "$match": { "$expr": only(&self.schema.catalog, name, partition)? } }];
        for command in commands {
            let open = self.of_partition((name, partition), (*command, false))?;
            stages.extend(open.map(Condition::kept).unwrap_or_default());
        }
        Ok(Plan { collection: collection(name), stages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_as_they_are_stored() {
        let test = |bound: PartitionBound, ty: &Type| Test::of(&bound, ty).unwrap().unwrap();
        let stored = |text: &str, ty: &Type| storage::bson(&Value::parse(ty, text).unwrap(), ty).unwrap();
        let ends =
            |from: &str, to: &str| PartitionBound::Range { from: Some(from.into()), to: Some(to.into()) };
        let (year, days) = (test(ends("2024-01-01", "2025-01-01"), &Type::Date), Type::Date);
        assert!(year.holds(&stored("2024-01-01", &days)) && year.holds(&stored("2024-12-31", &days)));
        assert!(!year.holds(&stored("2025-01-01", &days)) && !year.holds(&Bson::Null));
        let numeric = Type::Numeric(None);
        let amounts = test(ends("-1.5", "10"), &numeric);
        assert!(amounts.holds(&stored("-1.50", &numeric)) && amounts.holds(&stored("9.999", &numeric)));
        assert!(!amounts.holds(&stored("10.0", &numeric)));
        let kinds = test(PartitionBound::In(vec![Some("a".into()), None]), &Type::Text);
        assert!(kinds.holds(&Bson::Null) && kinds.holds(&"a".into()) && !kinds.holds(&"b".into()));
    }
}
