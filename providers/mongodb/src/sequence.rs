//! Numbers for identity columns: given once, kept or not, as PostgreSQL's sequences do.

use mongodb::Database;
use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Column, Table, TableName};

use crate::error::convert;
use crate::names::{SEQUENCES, collection, field};
use crate::storage::integer;
use crate::work::Work;

/// Numbers of a column that begin anew if the transaction at hand is committed.
#[derive(Debug)]
pub(crate) struct Restarted {
    table: TableName,
    column: Column,
    /// The last that was given when they did.
    before: Option<i64>,
    /// The last that this transaction took.
    last: i64,
}

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

/// The last number that was given to a column.
async fn last(database: &Database, table: &TableName, column: &Column) -> Result<Option<i64>> {
    let sequences = database.collection::<Document>(SEQUENCES);
    let found = sequences.find_one(key(table, column)).await.map_err(convert)?;
    Ok(found.as_ref().and_then(|found| found.get("last")).and_then(integer))
}

impl Work {
    /// The first of so many numbers.
    pub(crate) async fn numbers(&mut self, table: &TableName, column: &Column, many: i64) -> Result<i64> {
        let is_it = |one: &&mut Restarted| one.table == *table && one.column.name == column.name;
        match self.restarted.iter_mut().find(is_it) {
            Some(restarted) => {
                restarted.last += many;
                Ok(restarted.last - many + 1)
            }
            None => next(&self.database, table, column, many).await,
        }
    }

    /// Lets a column's numbers begin anew with this transaction.
    pub(crate) async fn restart(&mut self, table: &TableName, column: &Column) -> Result<()> {
        let is_it = |one: &&mut Restarted| one.table == *table && one.column.name == column.name;
        if let Some(restarted) = self.restarted.iter_mut().find(is_it) {
            restarted.last = 0;
            return Ok(());
        }
        let before = last(&self.database, table, column).await?;
        self.restarted.push(Restarted { table: table.clone(), column: column.clone(), before, last: 0 });
        Ok(())
    }

    /// Lets columns go on from where they began anew, now that it is committed. Where others took numbers
    /// meanwhile those go on, so that none is given twice.
    pub(crate) async fn settle(&mut self) {
        for one in std::mem::take(&mut self.restarted) {
            if let Err(error) = one.settle(&self.database).await {
                tracing::warn!(table = %one.table, %error, "numbers that were to begin anew go on");
            }
        }
    }
}

impl Restarted {
    async fn settle(&self, database: &Database) -> Result<()> {
        let sequences = database.collection::<Document>(SEQUENCES);
        let mut unchanged = key(&self.table, &self.column);
        unchanged.insert("last", self.before);
        let set = sequences.update_one(unchanged, doc! { "$set": { "last": self.last } });
        if set.await.map_err(convert)?.matched_count > 0 {
            return Ok(());
        }
        let most = doc! { "$max": { "last": self.last } };
        let set = sequences.update_one(key(&self.table, &self.column), most).upsert(true);
        set.await.map(drop).map_err(convert)
    }
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
