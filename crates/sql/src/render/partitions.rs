//! Tables that are divided, and their partitions.

use truststream_services::database::{
    Partition, PartitionBound, PartitionBy, Partitioning, Table, TableName,
};

use super::name::{names, relation};
use super::tables::check_of;
use super::{Kind, Object};
use crate::quote::literal;
use crate::render::rights;

/// What follows the columns of a table that is divided.
pub(super) fn by(partitioning: &Partitioning) -> String {
    let how = match partitioning.by {
        PartitionBy::Range => "range",
        PartitionBy::List => "list",
        PartitionBy::Hash => "hash",
    };
    format!(" partition by {how} ({})", names(&partitioning.columns))
}

pub(super) fn partitions(table: &TableName, definition: &Table) -> Vec<Object> {
    let mut objects: Vec<Object> =
        definition.partitioning.iter().flat_map(|known| within(table, None, known)).collect();
    for check in &definition.checks {
        if let Some(partition) = &check.partition {
            let made = check_of(partition, check).of(table);
            objects.push(Object { refers: Some(partition.clone()), ..made });
        }
    }
    objects
}

/// The partitions of a table, or of one of its partitions.
fn within(table: &TableName, parent: Option<&TableName>, level: &Partitioning) -> Vec<Object> {
    level.partitions.iter().flat_map(|partition| of(table, parent, partition)).collect()
}

fn of(table: &TableName, parent: Option<&TableName>, partition: &Partition) -> Vec<Object> {
    let name = &partition.name;
    let bound = bound(&partition.bound);
    let by = partition.partitioning.as_ref().map(by).unwrap_or_default();
    let of = relation(parent.unwrap_or(table));
    let create = format!("create table {} partition of {of} {bound}{by}", relation(name));
    let object = |kind, key, create, drop| Object::new(kind, &name.schema, key, create, drop).of(table);
    let drop = format!("drop table {}", relation(name));
    let made = object(Kind::Partition, format!("partition {name}"), create, drop);
    let mut objects = vec![Object { refers: parent.cloned(), ..made }];
    let right = |key, create, drop| {
        let right = object(Kind::Right, key, create, drop);
        Object { refers: Some(name.clone()), ..right }
    };
    if partition.row_security {
        let say = |word: &str| format!("alter table {} {word} row level security", relation(name));
        objects.push(right(format!("row security of {name}"), say("enable"), say("disable")));
    }
    objects.extend(rights::policies_of(table, partition));
    if !partition.grants.is_empty() {
        let grants = rights::all(&relation(name), &partition.grants);
        objects.push(right(format!("grants on {name}"), grants, String::new()));
    }
    objects.extend(partition.partitioning.iter().flat_map(|known| within(table, Some(name), known)));
    objects
}

fn bound(bound: &PartitionBound) -> String {
    let or = |value: &Option<String>, none: &str| value.as_deref().map_or(none.to_owned(), literal);
    match bound {
        PartitionBound::In(values) => {
            let values: Vec<_> = values.iter().map(|value| or(value, "null")).collect();
            format!("for values in ({})", values.join(", "))
        }
        PartitionBound::Range { from, to } => {
            format!("for values from ({}) to ({})", or(from, "minvalue"), or(to, "maxvalue"))
        }
        PartitionBound::Hash { modulus, remainder } => {
            format!("for values with (modulus {modulus}, remainder {remainder})")
        }
        PartitionBound::Default => "default".to_owned(),
    }
}
