//! Numbers for identity columns: given once, kept or not, as PostgreSQL's sequences do.

use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Column, Table, TableName};

use crate::error::convert;
use crate::names::{SEQUENCES, collection, field};
use crate::storage::integer;

fn key(table: &TableName, column: &Column) -> Document {
    doc! { "_id": { "t": collection(table), "c": &column.name } }
}

/// The first of so many numbers.
pub(crate) async fn next(database: &Database, table: &TableName, column: &Column, many: i64) -> Result<i64> {
    let sequences = database.collection::<Document>(SEQUENCES);
    for _ in 0..8 {
        let taken = sequences
            .find_one_and_update(key(table, column), doc! { "$inc": { "last": many } })
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await;
        match taken {
            Ok(found) => {
                let last = found.as_ref().and_then(|found| found.get("last")).and_then(integer);
                // Whoever is told of no number has none.
                if let Some(last) = last {
                    return Ok(last - many + 1);
                }
            }
            // Two took the first number at once, or are in each other's way: once more.
            Err(error) if matches!(crate::error::code(&error), Some(11_000 | 112)) => {}
            Err(error) => return Err(convert(error)),
        }
    }
    Err(Error::unavailable("no number could be taken from a sequence"))
}

/// Lets a column go on behind a number.
pub(crate) async fn set(database: &Database, table: &TableName, column: &Column, last: i64) -> Result<()> {
    let sequences = database.collection::<Document>(SEQUENCES);
    let set = sequences.update_one(key(table, column), doc! { "$set": { "last": last } }).upsert(true);
    set.await.map(drop).map_err(convert)
}

/// Goes on well beyond the largest number present.
pub(crate) async fn advance(database: &Database, name: &TableName, table: &Table, by: i64) -> Result<()> {
    for column in table.columns.iter().filter(|column| column.identity.is_some()) {
        let field = field(&column.name);
        let largest = database
            .collection::<Document>(&collection(name))
            .find_one(doc! {})
            .sort(doc! { &field: -1 })
            .await
            .map_err(convert)?;
        let largest = largest.as_ref().and_then(|row| row.get(&field)).and_then(integer).unwrap_or(0);
        database
            .collection::<Document>(SEQUENCES)
            .update_one(key(name, column), doc! { "$max": { "last": largest + by } })
            .upsert(true)
            .await
            .map_err(convert)?;
    }
    Ok(())
}
