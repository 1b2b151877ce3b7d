//! Collections, indexes and validators from the catalog.

use mongodb::bson::{Bson, Document, doc};
use mongodb::{Database, IndexModel};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Table, TableName};

use crate::error::{DUPLICATE_KEY, code, convert};
use crate::money::is_money;
use crate::names::{collection, field};
use crate::partial;
use crate::schema::labels;

/// An index that a table wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    keys: Document,
    unique: bool,
    /// Nulls are equal to none, so rows with one are left out.
    filter: Option<Document>,
}

/// The indexes of a table. They wait while rows of a copy arrive: in any order, so that unique keys may be
/// there twice for a moment, and several times as fast without them.
pub(crate) fn indexes(catalog: &Catalog, table: &Table, receiving: bool) -> Vec<Wanted> {
    if receiving {
        return Vec::new();
    }
    let mut wanted = Vec::new();
    let ascending = |columns: &[String]| -> Document {
        columns.iter().map(|column| (field(column), Bson::Int32(1))).collect()
    };
    let present = |columns: &[String]| -> Option<Document> {
        let nullable = columns.iter().filter_map(|name| table.column(name)).filter(|column| column.nullable);
        let filter: Document = nullable
            .map(|column| (field(&column.name), Bson::Document(doc! { "$type": types(&column.ty) })))
            .collect();
        (!filter.is_empty()).then_some(filter)
    };
    for key in &table.unique_keys {
        let filter = if key.nulls_not_distinct { None } else { present(&key.columns) };
        wanted.push(Wanted { name: key.name.clone(), keys: ascending(&key.columns), unique: true, filter });
    }
    for index in table.indexes.iter().filter(|index| index.unique) {
        let keys = ascending(&index.terms);
        let rows = index.predicate.as_ref().and_then(|text| partial::filter(catalog, table, text));
        let filter = match (rows, present(&index.terms)) {
            (Some(rows), Some(present)) => Some(doc! { "$and": [rows, present] }),
            (rows, present) => rows.or(present),
        };
        wanted.push(Wanted { name: index.name.clone(), keys, unique: true, filter });
    }
    let referring = table.foreign_keys.iter().map(|key| ascending(&key.columns));
    let others = table.indexes.iter().filter(|index| !index.unique);
    for keys in referring.chain(others.filter_map(|index| plain_terms(table, &index.terms))) {
        let serves = |one: &Wanted| one.keys == keys && one.filter.is_none();
        if !wanted.iter().any(serves) {
            wanted.push(Wanted { name: name_of(&keys), keys, unique: false, filter: None });
        }
    }
    wanted
}

/// What an index that makes reads faster is called: by its keys, since the engine takes one of each.
fn name_of(keys: &Document) -> String {
    let parts: Vec<String> = keys.iter().map(|(name, order)| format!("{name}_{order}")).collect();
    parts.join("_")
}

/// The keys of an index on columns alone; others only make reads faster, and are left out.
fn plain_terms(table: &Table, terms: &[String]) -> Option<Document> {
    terms
        .iter()
        .map(|term| {
            let mut words = term.split_whitespace();
            let column = words.next()?.trim_matches('"');
            let descends = words.next().is_some_and(|word| word.eq_ignore_ascii_case("desc"));
            table.column(column)?;
            Some((field(column), Bson::Int32(if descends { -1 } else { 1 })))
        })
        .collect()
}

/// The BSON types of a column that is not null.
pub(crate) fn types(ty: &Type) -> Vec<&'static str> {
    match ty {
        Type::Bool => vec!["bool"],
        Type::Int2 | Type::Int4 | Type::Int8 => vec!["long", "int"],
        Type::Timestamptz | Type::Timestamp | Type::Date | Type::Time => vec!["long"],
        Type::Float4 | Type::Float8 => vec!["double", "string"],
        Type::Numeric(_) => vec!["decimal", "string"],
        Type::Bytes | Type::Uuid => vec!["binData"],
        Type::Interval | Type::Json | Type::Jsonb => vec!["object"],
        Type::Array(_) => vec!["array"],
        ty if is_money(ty) => vec!["long", "int"],
        Type::Other(_) => vec!["object"],
        Type::Text | Type::Varchar(_) | Type::Char(_) | Type::Enum(_) => vec!["string"],
    }
}

/// What a collection takes, whoever writes it.
pub(crate) fn validator(catalog: &Catalog, table: &Table) -> Document {
    let property = |column: &Column| {
        let mut kinds = types(&column.ty);
        if column.nullable {
            kinds.push("null");
        }
        let mut rule = doc! { "bsonType": kinds };
        if let Some(labels) = labels(catalog, &column.ty) {
            let mut labels: Vec<Bson> = labels.iter().cloned().map(Bson::String).collect();
            if column.nullable {
                labels.push(Bson::Null);
            }
            rule.insert("enum", labels);
        }
        (field(&column.name), Bson::Document(rule))
    };
    let required: Vec<String> =
        table.columns.iter().filter(|column| !column.nullable).map(|column| field(&column.name)).collect();
    let mut schema = doc! { "bsonType": "object" };
    if !required.is_empty() {
        schema.insert("required", required);
    }
    schema.insert("properties", table.columns.iter().map(property).collect::<Document>());
    doc! { "$jsonSchema": schema }
}

/// Makes a table's collection; one that is there is of a table that went, or of a migration that
/// failed, and is removed. While a copy is received it takes anything: what comes is looked at before
/// it is sent (`row.rs`), in a small part of the time that the engine would need.
pub(crate) async fn create(
    database: &Database,
    catalog: &Catalog,
    (name, table): (&TableName, &Table),
    receiving: bool,
) -> Result<()> {
    let called = collection(name);
    database.collection::<Document>(&called).drop().await.map_err(convert)?;
    let command = doc! {
        "create": &called,
        "validator": if receiving { Document::new() } else { validator(catalog, table) },
        "changeStreamPreAndPostImages": { "enabled": true },
    };
    database.run_command(command).await.map_err(convert)?;
    for wanted in indexes(catalog, table, receiving) {
        make(database, &called, wanted).await?;
    }
    Ok(())
}

/// Makes an index.
///
/// # Errors
/// 23505 if rows violate it.
pub(crate) async fn make(database: &Database, called: &str, wanted: Wanted) -> Result<()> {
    let options = mongodb::options::IndexOptions::builder()
        .name(wanted.name.clone())
        .unique(wanted.unique)
        .partial_filter_expression(wanted.filter)
        .build();
    let model = IndexModel::builder().keys(wanted.keys).options(options).build();
    match database.collection::<Document>(called).create_index(model).await {
        Ok(_) => Ok(()),
        Err(error) if code(&error) == Some(DUPLICATE_KEY) => {
            let message = format!("could not create unique index \"{}\"", wanted.name);
            Err(Error::new(truststream_kernel::ErrorKind::Constraint, "23505", message).with_source(error))
        }
        Err(error) => Err(convert(error)),
    }
}

/// Removes an index.
pub(crate) async fn remove(database: &Database, called: &str, name: &str) -> Result<()> {
    match database.collection::<Document>(called).drop_index(name).await {
        Ok(()) => Ok(()),
        // It is gone already.
        Err(error) if code(&error) == Some(27) => Ok(()),
        Err(error) => Err(convert(error)),
    }
}

/// Sets what a collection takes from now on.
pub(crate) async fn validate(
    database: &Database,
    catalog: &Catalog,
    name: &TableName,
    table: &Table,
) -> Result<()> {
    set_validator(database, name, validator(catalog, table)).await
}

/// Lets a collection take anything.
pub(crate) async fn unvalidate(database: &Database, name: &TableName) -> Result<()> {
    set_validator(database, name, Document::new()).await
}

async fn set_validator(database: &Database, name: &TableName, validator: Document) -> Result<()> {
    let command = doc! { "collMod": collection(name), "validator": validator };
    database.run_command(command).await.map(drop).map_err(convert)
}
