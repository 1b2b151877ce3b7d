//! Rows into their collections.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Error, Result};

use super::fault::{duplicate, explain};
use super::{Named, key_of};
use crate::error::{DUPLICATE_KEY, convert};
use crate::names::collection;
use crate::storage;
use crate::work::Work;

/// Rows replaced by one command.
const MANY: usize = 500;

impl Work {
    /// Inserts rows, which get their keys.
    pub(crate) async fn put_new(&mut self, named: Named<'_>, rows: &mut [Document]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows.iter_mut() {
            keyed(named, row);
        }
        let collection = self.database.collection::<Document>(&collection(named.0));
        collection
            .insert_many(rows.iter())
            .comment(self.watch.comment())
            .session(&mut self.session)
            .await
            .map(drop)
            .map_err(|error| explain(named, error, rows))
    }

    /// Replaces rows by others, whose keys may differ.
    pub(crate) async fn put_changed(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: &mut [Document],
    ) -> Result<()> {
        let called = collection(named.0);
        let (mut gone, mut moved, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (old, new) in old.iter().zip(new.iter_mut()) {
            let before = key_of(old);
            new.insert("_id", storage::id(named.1, new).unwrap_or_else(|| before.clone()));
            if key_of(new) == before {
                kept.push(new.clone());
            } else {
                gone.push(before);
                moved.push(new.clone());
            }
        }
        self.remove(&called, &gone).await?;
        self.put(named, &kept).await?;
        self.put_new(named, &mut moved).await
    }

    /// Inserts rows, or replaces those of their keys.
    pub(crate) async fn put(&mut self, named: Named<'_>, rows: &[Document]) -> Result<()> {
        let called = collection(named.0);
        for rows in rows.chunks(MANY) {
            let update = |row: &Document| {
                Bson::from(doc! { "q": { "_id": key_of(row) }, "u": row.clone(), "upsert": true })
            };
            let updates: Vec<Bson> = rows.iter().map(update).collect();
            let command = self.command(doc! { "update": &called, "updates": updates });
            let reply = self
                .database
                .run_command(command)
                .session(&mut self.session)
                .await
                .map_err(|error| explain(named, error, rows))?;
            written(named, &reply, rows)?;
        }
        Ok(())
    }

    /// Deletes documents by their keys.
    pub(crate) async fn remove(&mut self, called: &str, keys: &[Bson]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.database
            .collection::<Document>(called)
            .delete_many(doc! { "_id": { "$in": keys.to_vec() } })
            .comment(self.watch.comment())
            .session(&mut self.session)
            .await
            .map(drop)
            .map_err(convert)
    }
}

/// Gives a row its key; it comes first, as the engine stores it.
fn keyed((_, table): Named<'_>, row: &mut Document) {
    let id = storage::id(table, row)
        .unwrap_or_else(|| row.get("_id").cloned().unwrap_or_else(|| Bson::ObjectId(ObjectId::new())));
    let mut whole = doc! { "_id": id };
    whole.extend(std::mem::take(row).into_iter().filter(|(name, _)| name != "_id"));
    *row = whole;
}

/// Failures that a reply tells although the command as such did not fail.
pub(super) fn written(named: Named<'_>, reply: &Document, rows: &[Document]) -> Result<()> {
    let Some(first) = reply.get_array("writeErrors").ok().and_then(|errors| errors.first()) else {
        return Ok(());
    };
    let first = first.as_document().cloned().unwrap_or_default();
    let number = |name: &str| first.get(name).and_then(storage::integer);
    let text = first.get_str("errmsg").unwrap_or_default();
    if number("code") == Some(i64::from(DUPLICATE_KEY)) {
        let at = number("index").and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        return Err(duplicate(named, text, rows.get(at)));
    }
    Err(Error::internal("the database refused a row").with_source(std::io::Error::other(text.to_owned())))
}
