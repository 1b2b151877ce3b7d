//! Tables in key order, a chunk at a time.

use mongodb::bson::{Bson, Document, Timestamp, doc};
use mongodb::{ClientSession, Database};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Chunk, Scan};

use crate::driver::Shared;
use crate::error::convert;
use crate::names::{collection, field};
use crate::storage::{self, integer};
use crate::{feed, row};

/// Reads a chunk, and the feed's position in the same snapshot.
pub(crate) async fn scan(shared: &Shared, op: &Scan) -> Result<Chunk> {
    let schema = shared.schema();
    let table = schema.table(&op.table)?;
    let mut after = Document::new();
    for (name, value) in table.primary_key.iter().zip(op.after.iter().flatten()) {
        let column = table.column(name).ok_or_else(|| Error::internal("a key of no column"))?;
        after.insert(field(name), storage::bson(value, &column.ty)?);
    }
    if table.primary_key.is_empty() {
        return Err(Error::unsupported(format!("table {} has no primary key", op.table)));
    }
    let filter = match storage::id(table, &after).filter(|_| !after.is_empty()) {
        Some(id) => doc! { "_id": { "$gt": id } },
        None => doc! {},
    };
    let limit = i64::try_from(op.limit).unwrap_or(i64::MAX);
    let command = doc! {
        "find": collection(&op.table),
        "filter": filter,
        "sort": { "_id": 1 },
        "limit": limit,
        "batchSize": limit.min(10_000),
        "readConcern": { "level": "snapshot" },
    };
    let mut session = shared.client.start_session().await.map_err(convert)?;
    let (documents, moment) = snapshot(&shared.database, &mut session, command).await?;
    let columns = row::columns(table);
    let rows = documents.iter().map(|one| row::row(table, &columns, one)).collect::<Result<_>>()?;
    Ok(Chunk { rows, position: feed::position(moment)? })
}

/// All documents of a `find`, and the moment of the snapshot they are of. A reply holds 16 MB at
/// most, so one need not be all.
async fn snapshot(
    database: &Database,
    session: &mut ClientSession,
    command: Document,
) -> Result<(Vec<Document>, Timestamp)> {
    let called = command.get_str("find").unwrap_or_default().to_owned();
    let reply = database.run_command(command).session(&mut *session).await.map_err(convert)?;
    let mut cursor = reply.get_document("cursor").cloned().unwrap_or_default();
    let moment = cursor
        .get_timestamp("atClusterTime")
        .map_err(|error| Error::internal("the database tells no moment of a snapshot").with_source(error))?;
    let mut documents = batch(&cursor, "firstBatch");
    while let Some(id) = cursor.get("id").and_then(integer).filter(|id| *id != 0) {
        let more = doc! { "getMore": id, "collection": &called };
        let reply = database.run_command(more).session(&mut *session).await.map_err(convert)?;
        cursor = reply.get_document("cursor").cloned().unwrap_or_default();
        documents.extend(batch(&cursor, "nextBatch"));
    }
    Ok((documents, moment))
}

fn batch(cursor: &Document, name: &str) -> Vec<Document> {
    let found = cursor.get_array(name).map(Vec::as_slice).unwrap_or_default();
    found.iter().filter_map(Bson::as_document).cloned().collect()
}
