//! What is in a database: the tables of the catalog, and a proposal for the collections that others
//! made, from documents that are looked at.

use futures::TryStreamExt;
use indexmap::IndexMap;
use mongodb::bson::{Bson, Document, doc};
use mongodb::results::CollectionType;
use mongodb::{Collection, Database, IndexModel};
use truststream_kernel::{Result, Type};
use truststream_services::database::{
    Catalog, Column, Index, Introspect, Introspection, Table, TableName, UniqueKey,
};

use crate::driver::Shared;
use crate::error::convert;
use crate::guess::Guess;
use crate::names::{OWN, table_of};

/// The catalog with a proposal for what it does not know.
pub(crate) async fn introspect(shared: &Shared, op: &Introspect) -> Result<Introspection> {
    let catalog = shared.schema().catalog.as_ref().clone();
    let mut found = Introspection { catalog, ..Introspection::default() };
    for (name, kind) in foreign(&shared.database, &found.catalog).await? {
        if kind != CollectionType::Collection {
            found.notes.push(format!("view {name}: left out: its pipeline is MongoDB's; write it anew"));
            continue;
        }
        let collection = shared.database.collection::<Document>(&name);
        let table = propose(&collection, op.sample, &mut found.notes).await?;
        found.catalog.tables.insert(TableName::public(name), table);
    }
    Ok(found)
}

/// Collections and views that are neither tables of the catalog nor TrustStream's own, by name.
async fn foreign(database: &Database, catalog: &Catalog) -> Result<Vec<(String, CollectionType)>> {
    let listed = database.list_collections().await.map_err(convert)?;
    let listed: Vec<_> = listed.try_collect().await.map_err(convert)?;
    let known = |name: &str| {
        table_of(name).is_some_and(|table| catalog.table(&table).is_some()) || OWN.contains(&name)
    };
    let mut foreign: Vec<_> = listed
        .into_iter()
        .filter(|one| !known(&one.name) && !one.name.starts_with("system."))
        .map(|one| (one.name, one.collection_type))
        .collect();
    foreign.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(foreign)
}

async fn propose(
    collection: &Collection<Document>,
    sample: Option<usize>,
    notes: &mut Vec<String>,
) -> Result<Table> {
    let name = collection.name();
    let mut fields: IndexMap<String, Guess> = IndexMap::new();
    // A document of any collection has a key.
    fields.insert("_id".into(), Guess::default());
    let mut looked_at = 0_u64;
    let stages = sample.map(|size| doc! { "$sample": { "size": i64::try_from(size).unwrap_or(i64::MAX) } });
    let mut documents = collection.aggregate(stages).await.map_err(convert)?;
    while let Some(document) = documents.try_next().await.map_err(convert)? {
        looked_at += 1;
        for (field, value) in &document {
            fields.entry(field.clone()).or_default().see(value);
        }
    }
    if looked_at == 0 {
        notes.push(format!("{name}: it holds no document, so only its key is proposed"));
    } else if sample.is_some() {
        notes.push(format!("{name}: guessed from {looked_at} documents: others may hold other fields"));
    }
    let key = if fields.contains_key("id") { "_id" } else { "id" };
    let mut table = Table { primary_key: vec![key.into()], ..Table::default() };
    for (field, guess) in &fields {
        let ty = if looked_at == 0 { Type::Text } else { guess.ty() };
        let called = if field == "_id" { key } else { field };
        notes.extend(guess.notes().into_iter().map(|note| format!("{name}.{called}: {note}")));
        table.columns.push(Column {
            name: called.to_owned(),
            type_name: ty.sql_name(),
            nullable: field != "_id" && guess.seen() < looked_at,
            ty,
            default: None,
            identity: None,
            generated: None,
            comment: None,
        });
    }
    let indexes = collection.list_indexes().await.map_err(convert)?;
    for index in indexes.try_collect::<Vec<_>>().await.map_err(convert)? {
        keep(&mut table, (name, key), &index, notes);
    }
    Ok(table)
}

/// Adds an index to a table, if it is one on its columns.
fn keep(table: &mut Table, (collection, key): (&str, &str), index: &IndexModel, notes: &mut Vec<String>) {
    if index.keys.len() == 1 && index.keys.contains_key("_id") {
        return;
    }
    let options = index.options.clone().unwrap_or_default();
    let name = options.name.unwrap_or_default();
    let columns: Option<Vec<(String, bool)>> = index.keys.iter().map(|key| term(table, key)).collect();
    let plain = options.partial_filter_expression.is_none() && options.expire_after.is_none();
    let Some(columns) = columns.filter(|_| plain) else {
        notes.push(format!("{collection}: index {name} is left out: PostgreSQL has none of its kind"));
        return;
    };
    let called = |column: &String| if column == "_id" { key.to_owned() } else { column.clone() };
    let name = format!("{collection}_{name}");
    if options.unique == Some(true) {
        let nulls_not_distinct = options.sparse != Some(true);
        let columns = columns.iter().map(|(column, _)| called(column)).collect();
        table.unique_keys.push(UniqueKey { name, columns, nulls_not_distinct });
    } else {
        let quoted = |column: &String| format!("\"{}\"", called(column).replace('"', "\"\""));
        let term = |(column, descends): &(String, bool)| {
            if *descends { format!("{} DESC", quoted(column)) } else { quoted(column) }
        };
        let terms = columns.iter().map(term).collect();
        table.indexes.push(Index { name, terms, unique: false, predicate: None, method: "btree".into() });
    }
}

/// A column of an index, and whether it descends; none for what lies within fields, and for other
/// kinds of keys.
fn term(table: &Table, (field, order): (&String, &Bson)) -> Option<(String, bool)> {
    let order = crate::storage::integer(order)?;
    (field == "_id" || table.column(field).is_some()).then(|| (field.clone(), order < 0))
}
