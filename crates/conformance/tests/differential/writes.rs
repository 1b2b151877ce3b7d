//! Random writes: what is written, and how.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use truststream_services::database::{
    Delete, Insert, Item, OnConflict, Query, Returning, Step, TableName, Update, WriteOptions,
};

use super::world::{Column, TABLES, Table, USERS, VIEW};

/// A change of a table.
#[derive(Clone, Debug)]
pub enum Change {
    /// New rows, and what is done when there is one of their key: merge or not.
    Insert { rows: String, merge: Option<bool>, missing_default: bool },
    /// New values of the rows that are found.
    Update { values: String },
    /// The rows that are found go.
    Delete,
}

/// A change and what of it is wanted back.
#[derive(Clone, Debug)]
pub struct Write {
    /// What is done.
    pub change: Change,
    /// What is wanted back of the rows.
    pub returning: Returning,
}

impl Write {
    /// The operation.
    pub fn step(&self, table: &str, query: &Query) -> Step {
        let options = WriteOptions { returning: self.returning, ..WriteOptions::default() };
        let table = TableName::public(table);
        match &self.change {
            Change::Insert { rows, merge, missing_default } => {
                let query = Query { filter: None, order: Vec::new(), limit: None, ..query.clone() };
                let on_conflict = merge.map(|merge| OnConflict { columns: None, merge });
                let insert = Insert::new(table, rows.clone());
                Insert { on_conflict, missing_default: *missing_default, query, options, ..insert }.into()
            }
            Change::Update { values } => {
                Update { options, ..Update::new(table, values.clone(), query.clone()) }.into()
            }
            Change::Delete => Delete { options, ..Delete::new(table, query.clone()) }.into(),
        }
    }

    /// What makes a command of it.
    pub fn shown(&self) -> String {
        let mut prefer = vec![match self.returning {
            Returning::Minimal => "return=minimal",
            Returning::HeadersOnly => "return=headers-only",
            Returning::Representation => "return=representation",
        }];
        let (method, body) = match &self.change {
            Change::Insert { rows, merge, missing_default } => {
                prefer.extend(merge.map(|merge| match merge {
                    true => "resolution=merge-duplicates",
                    false => "resolution=ignore-duplicates",
                }));
                prefer.extend(missing_default.then_some("missing=default"));
                ("POST", Some(rows))
            }
            Change::Update { values } => ("PATCH", Some(values)),
            Change::Delete => ("DELETE", None),
        };
        let mut shown = format!(" -X {method} -H 'Prefer: {}'", prefer.join(","));
        if let Some(body) = body {
            let body = body.replace('\'', "'\\''");
            let _ = write!(shown, " -H 'Content-Type: application/json' -d '{body}'");
        }
        shown
    }
}

/// The query of a write of a table: all rows or some first ones, without groups. What is returned beside the rows
/// PostgreSQL reads as it was before the write, SQLite as it is after: nothing of the table is asked for.
pub fn plain(query: Query, table: &str) -> Query {
    let mut items = query.items;
    items.retain(|item| match item {
        Item::Count { .. } => false,
        Item::Column { field, aggregate, .. } => aggregate.is_none() && field.name != "place",
        Item::Embed(embed) => {
            let groups = embed.spread && super::queries::aggregates(&embed.query);
            !groups && !super::queries::reads(embed, table)
        }
        Item::All => true,
    });
    if items.is_empty() {
        items.push(Item::All);
    }
    // PostgreSQL finds no first rows of a view to write.
    let limit = query.limit.filter(|_| table != VIEW);
    let order = if limit.is_some() { super::queries::keys(table) } else { Vec::new() };
    Query { items, order, limit, offset: 0, ..query }
}

/// The columns that keep rows together, and values for them: some that are nowhere, some that are taken.
fn ties(table: &str) -> Vec<(&'static str, &'static [&'static str])> {
    const PARENTS: &[&str] = &["1", "2", "4", "null", "99"];
    const KEYS: &[&str] = &["1", "2", "50"];
    match table {
        "parents" => vec![("boss_id", PARENTS)],
        "children" => vec![("parent_id", PARENTS), ("other_id", PARENTS)],
        VIEW => vec![("parent_id", PARENTS)],
        "grandchildren" => vec![("child_id", &["1", "2", "3", "null", "99"])],
        "tags" => vec![("weight", &["3", "7", "8", "12", "null"])],
        "children_tags" => vec![("child_id", KEYS), ("tag_id", KEYS)],
        _ => Vec::new(),
    }
}

/// The columns a write may name, each with values as JSON.
fn writable(table: &Table) -> Vec<(String, Vec<String>)> {
    let texts = |values: &[&str]| values.iter().map(|value| format!("\"{value}\"")).collect();
    let owned = |(name, values): (&str, &[&str])| {
        (name.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    };
    let mut columns: Vec<(String, Vec<String>)> = ties(table.name).into_iter().map(owned).collect();
    columns.push(("team".to_owned(), texts(&["red", "blue"])));
    columns.push(("owner".to_owned(), texts(&USERS)));
    let own = table.columns.iter().filter(|column| column.name != "team");
    columns.extend(own.map(|Column { name, kind }| {
        let values = kind.values.iter().copied().chain(["null"]).map(str::to_owned).collect();
        (name.clone(), values)
    }));
    columns
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Values for some columns.
fn values(columns: Vec<(String, Vec<String>)>) -> BoxedStrategy<Vec<(String, String)>> {
    let members: Vec<_> = columns
        .into_iter()
        .map(|(name, values)| select(values).prop_map(move |value| (name.clone(), value)).boxed())
        .collect();
    members.boxed()
}

/// Rows of the same columns.
fn rows(table: &Table) -> BoxedStrategy<String> {
    let columns = writable(table);
    let name = table.name;
    let keyed = TABLES.iter().any(|(table, _)| *table == name && *table != "children_tags") || name == VIEW;
    let most = columns.len();
    (subsequence(columns, 1..=most), 1..4_usize)
        .prop_flat_map(move |(columns, count)| {
            let ids = select(vec!["1", "2", "60", "61", "62", "63"]);
            proptest::collection::vec((ids, values(columns)), count)
        })
        .prop_map(move |rows| {
            let row = |(id, mut members): (&str, Vec<(String, String)>)| {
                if keyed {
                    members.push(("id".to_owned(), id.to_owned()));
                }
                object(&members)
            };
            let rows: Vec<String> = rows.into_iter().map(row).collect();
            format!("[{}]", rows.join(","))
        })
        .boxed()
}

/// A random write to a table.
pub fn write(table: &Table) -> BoxedStrategy<Write> {
    let merge = prop_oneof![3 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    let insert = (rows(table), merge, any::<bool>())
        .prop_map(|(rows, merge, missing_default)| Change::Insert { rows, merge, missing_default });
    let columns = writable(table);
    let most = columns.len().min(3);
    let update = subsequence(columns, 1..=most)
        .prop_flat_map(values)
        .prop_map(|members| Change::Update { values: object(&members) });
    let change = prop_oneof![3 => insert, 3 => update, 1 => Just(Change::Delete)];
    let returning = prop_oneof![
        2 => Just(Returning::Minimal),
        1 => Just(Returning::HeadersOnly),
        3 => Just(Returning::Representation),
    ];
    (change, returning).prop_map(|(change, returning)| Write { change, returning }).boxed()
}
