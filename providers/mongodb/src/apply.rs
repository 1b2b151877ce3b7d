//! Rows and changes that come from another database.

use futures::FutureExt;
use mongodb::bson::{Bson, Document, doc};
use truststream_kernel::{Context, Error, Result, Row};
use truststream_services::database::{Applied, Apply, Catalog, Change, Position, Table};

use crate::driver::Shared;
use crate::error::convert;
use crate::names::{STREAMS, collection};
use crate::row;
use crate::work::{Fate, Work};
use crate::write::Named;

/// Where a stream stands.
pub(crate) async fn position(shared: &Shared, origin: &str) -> Result<Option<Position>> {
    let found = shared
        .database
        .collection::<Document>(STREAMS)
        .find_one(doc! { "_id": origin })
        .await
        .map_err(convert)?;
    stands(found.as_ref())
}

fn stands(stream: Option<&Document>) -> Result<Option<Position>> {
    let text = stream.and_then(|stream| stream.get_str("position").ok());
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|error| Error::internal("a stored position can't be read").with_source(error))
}

fn written(position: &Position) -> Result<String> {
    serde_json::to_string(position)
        .map_err(|error| Error::internal("a position can't be stored").with_source(error))
}

/// Applies rows and changes together with the position they reach.
pub(crate) async fn apply(shared: &Shared, cx: &Context, op: &Apply) -> Result<Applied> {
    if !op.changes.is_empty() || op.rows.is_empty() {
        return shared.transact(cx, op, |work, op| work.apply(op, Rows::MayBeThere).boxed()).await;
    }
    match shared.transact(cx, op, |work, op| work.apply(op, Rows::AreNew).boxed()).await {
        Err(error) if error.code() == "23505" => {
            shared.transact(cx, op, |work, op| work.apply(op, Rows::MayBeThere).boxed()).await
        }
        applied => applied,
    }
}

/// What is known of whole rows that arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// They are inserted, several times as fast as they are replaced.
    AreNew,
    MayBeThere,
}

impl Work {
    async fn apply(&mut self, op: &Apply, known: Rows) -> Result<Fate<Applied>> {
        // It comes first, so that who reads the feed knows where the rest is from.
        if !self.advanced(op).await? {
            return Ok(Fate::Undo(Applied::Stale));
        }
        let schema = std::sync::Arc::clone(&self.schema);
        for (name, rows) in &op.rows {
            let table = schema.table(name)?;
            let mut rows = row::documents(&schema.catalog, (name, table), rows.iter())?;
            match known {
                Rows::AreNew => self.put_new((name, table), &mut rows).await?,
                Rows::MayBeThere => self.put((name, table), &rows).await?,
            }
        }
        for run in runs(&op.changes) {
            let name = &run[0].table;
            self.run_of((name, schema.table(name)?), run).await?;
        }
        Ok(Fate::Keep(Applied::Done))
    }

    /// Moves the stream on from where it is expected to stand; `false` if it stands elsewhere.
    pub(crate) async fn advanced(&mut self, op: &Apply) -> Result<bool> {
        let mut changed = doc! { "$inc": { "n": 1_i64 } };
        if let Some(position) = &op.position {
            changed.insert("$set", doc! { "position": written(position)? });
        }
        let stream = doc! { "_id": &op.origin };
        if let Some(expected) = &op.expected {
            // One request does both, where the position is written as it would be today.
            let stands = doc! { "_id": &op.origin, "position": written(expected)? };
            if self.advance(stands, &changed, false).await? > 0 {
                return Ok(true);
            }
        }
        let found = self.found(STREAMS, stream.clone()).await?;
        if stands(found.first())? != op.expected {
            return Ok(false);
        }
        self.advance(stream, &changed, true).await.map(|_| true)
    }

    /// How many streams were there to move on.
    async fn advance(&mut self, stream: Document, changed: &Document, make: bool) -> Result<u64> {
        let streams = self.database.collection::<Document>(STREAMS);
        let update = streams.update_one(stream, changed.clone()).upsert(make).session(&mut self.session);
        update.await.map(|done| done.matched_count).map_err(convert)
    }

    /// Applies changes of one table, in their order: as many at a time as are of one kind.
    async fn run_of(&mut self, named: Named<'_>, changes: &[Change]) -> Result<()> {
        let schema = std::sync::Arc::clone(&self.schema);
        let called = collection(named.0);
        let mut next =
            row::documents(&schema.catalog, named, changes.iter().filter_map(|one| one.new.as_ref()))?
                .into_iter();
        let (mut gone, mut put) = (Vec::new(), Vec::new());
        for change in changes {
            if let Some(key) = leaves(&schema.catalog, named.1, change)? {
                self.put(named, &std::mem::take(&mut put)).await?;
                gone.push(key);
            }
            if change.new.is_some() {
                self.remove(&called, &std::mem::take(&mut gone)).await?;
                put.extend(next.next());
            }
        }
        self.remove(&called, &gone).await?;
        self.put(named, &put).await
    }
}

/// Changes that follow one another in one table.
fn runs(changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    changes.chunk_by(|one, next| one.table == next.table)
}

/// The key of the row that is no more after a change.
fn leaves(catalog: &Catalog, table: &Table, change: &Change) -> Result<Option<Bson>> {
    let Some(old) = &change.old else { return Ok(None) };
    if change.new.as_ref().is_some_and(|new| !key_differs(table, old, new)) {
        return Ok(None);
    }
    row::key(catalog, table, old).map(Some)
}

fn key_differs(table: &Table, old: &Row, new: &Row) -> bool {
    table.primary_key.iter().any(|column| old.get(column) != new.get(column))
}
