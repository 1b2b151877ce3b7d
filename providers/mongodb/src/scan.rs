//! Tables in key order, a chunk at a time.

use mongodb::bson::{Bson, Document, Timestamp, doc};
use mongodb::{ClientSession, Database};
use truststream_kernel::{Error, Result, Value};
use truststream_services::database::{Catalog, Chunk, Scan, Table};

use crate::driver::Shared;
use crate::error::convert;
use crate::names::{collection, field};
use crate::storage::{self, integer};
use crate::{feed, row};

/// Reads a chunk, and the feed's position in the same snapshot.
pub(crate) async fn scan(shared: &Shared, op: &Scan) -> Result<Chunk> {
    let schema = shared.schema();
    let table = schema.table(&op.table)?;
    if table.primary_key.is_empty() {
        return Err(Error::unsupported(format!("table {} has no primary key", op.table)));
    }
    let (beyond, last) = if op.backwards { ("$lt", "$gte") } else { ("$gt", "$lte") };
    let mut within = Document::new();
    for (test, key) in [(beyond, &op.after), (last, &op.until)] {
        if let Some(id) = key.as_ref().map(|key| id_of(&schema.catalog, table, key)).transpose()?.flatten() {
            within.insert(test, id);
        }
    }
    let filter = if within.is_empty() {
        doc! {}
    } else {
        doc! { "_id": within }
    };
    let limit = i64::try_from(op.limit).unwrap_or(i64::MAX);
    let command = doc! {
        "find": collection(&op.table),
        "filter": filter,
        "sort": { "_id": if op.backwards { -1 } else { 1 } },
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

/// The `_id` of a key.
fn id_of(catalog: &Catalog, table: &Table, key: &[Value]) -> Result<Option<Bson>> {
    let mut document = Document::new();
    for (name, value) in table.primary_key.iter().zip(key) {
        let column = table.column(name).ok_or_else(|| Error::internal("a key of no column"))?;
        document.insert(field(name), storage::stored(catalog, value, &column.ty)?);
    }
    Ok(storage::id(table, &document))
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
    let mut cursor = cursor_of(reply);
    let moment = cursor
        .get_timestamp("atClusterTime")
        .map_err(|error| Error::internal("the database tells no moment of a snapshot").with_source(error))?;
    let mut documents = batch(&mut cursor, "firstBatch");
    while let Some(id) = cursor.get("id").and_then(integer).filter(|id| *id != 0) {
        let more = doc! { "getMore": id, "collection": &called };
        let reply = database.run_command(more).session(&mut *session).await.map_err(convert)?;
        cursor = cursor_of(reply);
        documents.extend(batch(&mut cursor, "nextBatch"));
    }
    Ok((documents, moment))
}

fn cursor_of(mut reply: Document) -> Document {
    match reply.remove("cursor") {
        Some(Bson::Document(cursor)) => cursor,
        _ => Document::new(),
    }
}

fn batch(cursor: &mut Document, name: &str) -> Vec<Document> {
    let Some(Bson::Array(found)) = cursor.remove(name) else { return Vec::new() };
    let document = |found: Bson| match found {
        Bson::Document(document) => Some(document),
        _ => None,
    };
    found.into_iter().filter_map(document).collect()
}
