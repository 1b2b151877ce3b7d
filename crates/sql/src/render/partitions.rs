//! Tables that are divided, and their partitions.

use truststream_services::database::{
    Partition, PartitionBound, PartitionBy, Partitioning, Table, TableName,
};

use super::name::{names, relation};
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
    let all = definition.partitioning.iter().flat_map(|partitioning| &partitioning.partitions);
    all.flat_map(|partition| of(table, partition)).collect()
}

fn of(table: &TableName, partition: &Partition) -> Vec<Object> {
    let name = &partition.name;
    let bound = bound(&partition.bound);
    let create = format!("create table {} partition of {} {bound}", relation(name), relation(table));
    let object = |kind, key, create, drop| Object::new(kind, &name.schema, key, create, drop).of(table);
    let drop = format!("drop table {}", relation(name));
    let mut objects = vec![object(Kind::Partition, format!("partition {name}"), create, drop)];
    if partition.row_security {
        let say = |word: &str| format!("alter table {} {word} row level security", relation(name));
        objects.push(object(Kind::Right, format!("row security of {name}"), say("enable"), say("disable")));
    }
    if !partition.grants.is_empty() {
        let grants = rights::all(&relation(name), &partition.grants);
        objects.push(object(Kind::Right, format!("grants on {name}"), grants, String::new()));
    }
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
