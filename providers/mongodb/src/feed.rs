//! The feed of changes: the server's change stream.
//!
//! A position is the server's time of a commit, which all changes of a transaction share and which
//! grows in commit order. So a position covers whole transactions, survives being stored, and is
//! refused by the server (rather than skipped over) once its log does not reach back so far.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::bson::{Bson, DateTime, Document, Timestamp, doc};
use mongodb::change_stream::event::OperationType;
use truststream_kernel::{Error, Result, Row};
use truststream_services::database::{
    Capture, Change, ChangeBatch, ChangeKind, Changes, Mark, Position, TableName,
};

use crate::driver::Shared;
use crate::error::convert;
use crate::names::{CAPTURES, MARKS, STREAMS, collection, table_of};
use crate::stream::{Event, Stream};
use crate::{internal, row};

/// Positions count seconds from 2024-01-01, to fit 63 bits together with what tells apart the
/// commits of a second and the changes of a commit.
const EPOCH: u32 = 1_704_067_200;
/// Bits for the commits of one second.
const COMMITS: u32 = 20;
/// Bits for the changes of one commit.
const CHANGES: u32 = 13;

/// How long the server is asked to wait for changes at a time.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long the feed may take to come to what was written before it was read.
const LATEST: Duration = Duration::from_secs(5);

fn sequence(moment: Timestamp, change: u64) -> Result<u64> {
    let too_many = || Error::internal("the server's time does not fit the feed's positions");
    let seconds = moment.time.checked_sub(EPOCH).ok_or_else(too_many)?;
    if moment.increment >> COMMITS != 0 {
        return Err(too_many());
    }
    let last = (1 << CHANGES) - 1;
    Ok(u64::from(seconds) << (COMMITS + CHANGES) | u64::from(moment.increment) << CHANGES | change.min(last))
}

/// The position behind all changes of a moment.
pub(crate) fn position(moment: Timestamp) -> Result<Position> {
    sequence(moment, u64::MAX).map(Position::Sequence)
}

/// The moment right behind a position.
fn behind(position: &Position) -> Result<Timestamp> {
    let Position::Sequence(sequence) = position else {
        return Err(Error::invalid_input("this is a position of another feed"));
    };
    let commits = sequence >> CHANGES;
    let seconds = u32::try_from(commits >> COMMITS).unwrap_or(u32::MAX);
    // Within the mask it fits.
    let increment = (commits & ((1 << COMMITS) - 1)) as u32;
    Ok(Timestamp { time: seconds.saturating_add(EPOCH), increment: increment + 1 })
}

/// The present end of the feed.
async fn end(shared: &Shared) -> Result<Position> {
    let (_, moment) = internal::captured(&shared.database).await?;
    position(moment)
}

/// Sets what a consumer wants to read.
pub(crate) async fn capture(shared: &Shared, op: &Capture) -> Result<Position> {
    let schema = shared.schema();
    let tables: Vec<Bson> = op
        .tables
        .iter()
        .map(|name| schema.table(name).map(|_| Bson::String(collection(name))))
        .collect::<Result<_>>()?;
    let consumers = shared.database.collection::<Document>(CAPTURES);
    let key = doc! { "_id": &op.consumer };
    if tables.is_empty() {
        consumers.delete_one(key).await.map_err(convert)?;
        return end(shared).await;
    }
    let change = doc! { "$set": { "tables": tables } };
    consumers.update_one(key, change).upsert(true).await.map_err(convert)?;
    let (wanted, moment) = wanted(shared).await?;
    let position = position(moment)?;
    // Open before the consumer lets anything be written: no commit is under way then that it could miss.
    let stream = Stream::open(shared, behind(&position)?, wanted).await?;
    shared.streams.keep(position.clone(), stream);
    Ok(position)
}

/// The collections that any consumer wants, and those that tell how far the feed is; with the server's time.
async fn wanted(shared: &Shared) -> Result<(Vec<String>, Timestamp)> {
    let (mut wanted, present) = internal::captured(&shared.database).await?;
    wanted.extend([STREAMS, MARKS].map(str::to_owned));
    Ok((wanted, present))
}

/// Reads changes after a position.
pub(crate) async fn changes(shared: &Shared, op: &Changes) -> Result<ChangeBatch> {
    let Some(after) = &op.after else {
        return Ok(ChangeBatch { changes: Vec::new(), position: end(shared).await?, at_end: true });
    };
    let until = Instant::now() + op.wait;
    let (wanted, present) = wanted(shared).await?;
    let mut stream = match shared.streams.take(after, &wanted) {
        Some(stream) => stream,
        None => Stream::open(shared, behind(after)?, wanted).await?,
    };
    let mut batch =
        Batch { shared, names: HashMap::new(), changes: Vec::new(), last: None, within: 0, origins: None };
    let at_end = read(&mut stream, &mut batch, op.limit, (until, present)).await?;
    let position = match batch.last {
        Some(moment) => position(moment)?,
        None => after.clone(),
    };
    let changes = batch.changes;
    shared.streams.keep(position.clone(), stream);
    Ok(ChangeBatch { changes, position, at_end })
}

/// Reads whole transactions until there are enough, or no more. Says whether all was read that there was at
/// a moment before it began: the feed has come so far, as an event of that moment or behind it shows.
async fn read(
    stream: &mut Stream,
    batch: &mut Batch<'_>,
    limit: usize,
    (until, present): (Instant, Timestamp),
) -> Result<bool> {
    let mut marked: Option<Instant> = None;
    loop {
        let left = match marked {
            Some(at) => LATEST.saturating_sub(at.elapsed()),
            None if batch.changes.is_empty() => until.saturating_duration_since(Instant::now()),
            None => Duration::ZERO,
        };
        let event = stream.next(left.min(PATIENCE)).await?;
        let waits = marked.is_none() && batch.changes.is_empty();
        match event {
            // A mark is no part of a transaction of which more may come.
            Some(event) if is_mark(&event) => {
                if !waits && stream.has_reached(present) {
                    return Ok(true);
                }
            }
            Some(event) => {
                let another = event.cluster_time.is_some() && event.cluster_time != batch.last;
                if another && batch.changes.len() >= limit {
                    stream.put_back(event);
                    return Ok(false);
                }
                batch.push(event)?;
            }
            None if waits && Instant::now() < until => {}
            None if stream.has_reached(present) => return Ok(true),
            None if waits => {
                stream.mark().await?;
                marked = Some(Instant::now());
            }
            None if marked.is_some_and(|at| at.elapsed() < LATEST) => {}
            // What there is goes out at once; whether it was all, the next look finds out.
            None => return Ok(false),
        }
    }
}

fn is_mark(event: &Event) -> bool {
    event.ns.as_ref().is_some_and(|ns| ns.coll.as_deref() == Some(MARKS))
}

struct Batch<'a> {
    shared: &'a Shared,
    names: HashMap<TableName, Arc<[String]>>,
    changes: Vec<Change>,
    /// The moment of the last event.
    last: Option<Timestamp>,
    /// Changes of that moment so far.
    within: usize,
    /// The stream that the changes of a moment came from.
    origins: Option<(Timestamp, String)>,
}

impl Batch<'_> {
    fn push(&mut self, event: Event) -> Result<()> {
        let moment =
            event.cluster_time.ok_or_else(|| Error::internal("a change of the feed tells no time"))?;
        if self.last != Some(moment) {
            self.within = 0;
        }
        self.last = Some(moment);
        let called = event.ns.as_ref().and_then(|ns| ns.coll.clone()).unwrap_or_default();
        if called == STREAMS {
            self.originate(&event);
            return Ok(());
        }
        let schema = self.shared.schema();
        let Some(name) = table_of(&called) else { return Ok(()) };
        // A table that is gone has no columns to read its rows by.
        let Some(table) = schema.catalog.table(&name) else { return Ok(()) };
        let columns = Arc::clone(self.names.entry(name.clone()).or_insert_with(|| row::columns(table)));
        let image = |document: &Option<Document>| -> Result<Option<Row>> {
            document.as_ref().map(|document| row::row(table, &columns, document)).transpose()
        };
        let kind = match event.operation_type {
            OperationType::Insert => ChangeKind::Insert,
            OperationType::Delete => ChangeKind::Delete,
            _ => ChangeKind::Update,
        };
        let old = if kind == ChangeKind::Insert { None } else { image(&event.full_document_before_change)? };
        let new = if kind == ChangeKind::Delete { None } else { image(&event.full_document)? };
        if (kind != ChangeKind::Insert && old.is_none()) || (kind != ChangeKind::Delete && new.is_none()) {
            let message = format!("the images of a change of table {name} are not kept any more");
            return Err(Error::new(truststream_kernel::ErrorKind::NotFound, "BACKEND_010", message));
        }
        let made_at = event.wall_time.map_or(i64::from(moment.time) * 1_000_000, micros);
        let mark = Mark { transaction: 0, sequence: sequence(moment, self.within as u64)? };
        self.within += 1;
        let origin = self.origin_of(moment);
        self.changes.push(Change { mark, table: name, kind, old, new, origin, made_at });
        Ok(())
    }

    /// Changes of one transaction have one origin; what applies them says it first.
    fn origin_of(&self, moment: Timestamp) -> Option<String> {
        self.origins.as_ref().filter(|(at, _)| *at == moment).map(|(_, origin)| origin.clone())
    }

    fn originate(&mut self, event: &Event) {
        let origin = event.document_key.as_ref().and_then(|key| key.get_str("_id").ok());
        if let (Some(origin), Some(moment)) = (origin, event.cluster_time) {
            self.origins = Some((moment, origin.to_owned()));
        }
    }
}

fn micros(moment: DateTime) -> i64 {
    moment.timestamp_millis() * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_on_right_behind() {
        let moment = Timestamp { time: EPOCH + 90_000_000, increment: 77 };
        let end = position(moment).unwrap();
        assert_eq!(behind(&end).unwrap(), Timestamp { increment: 78, ..moment });
        let Position::Sequence(end) = end else { panic!("{end:?}") };
        assert!(sequence(moment, 0).unwrap() < sequence(moment, 1).unwrap());
        assert!(sequence(moment, 5).unwrap() <= end && end <= i64::MAX as u64);
        assert!(end < sequence(Timestamp { increment: 78, ..moment }, 0).unwrap());
    }
}
