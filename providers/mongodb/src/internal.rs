//! Collections of TrustStream's own: the catalog, the migrations, where streams stand.

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, Timestamp, doc};
use mongodb::{ClientSession, Database};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Adopt, AppliedMigration, Catalog};

use crate::error::convert;
use crate::names::{CAPTURES, CATALOG, MIGRATIONS, OWN};
use crate::schema::derived;
use crate::storage::integer;

/// The key of the one document of the catalog's collection.
pub(crate) const CURRENT: &str = "current";

/// Makes what is missing; nothing of it can be made within a transaction.
pub(crate) async fn create(database: &Database) -> Result<()> {
    let present = database.list_collection_names().await.map_err(convert)?;
    for name in OWN.iter().filter(|name| !present.iter().any(|one| one == *name)) {
        match database.create_collection(*name).await {
            Ok(()) => {}
            // Another process was first.
            Err(error) if crate::error::code(&error) == Some(48) => {}
            Err(error) => return Err(convert(error)),
        }
    }
    database
        .collection::<Document>(CATALOG)
        .update_one(doc! { "_id": CURRENT }, doc! { "$setOnInsert": { "catalog": "{}", "receiving": false } })
        .upsert(true)
        .await
        .map(drop)
        .map_err(convert)
}

/// The catalog, and whether a copy is being received.
pub(crate) async fn catalog(database: &Database) -> Result<(Catalog, bool)> {
    let found = database
        .collection::<Document>(CATALOG)
        .find_one(doc! { "_id": CURRENT })
        .await
        .map_err(convert)?
        .unwrap_or_default();
    let text = found.get_str("catalog").unwrap_or("{}");
    let catalog = serde_json::from_str(text)
        .map_err(|error| Error::internal("the stored catalog can't be read").with_source(error))?;
    Ok((derived(catalog), found.get_bool("receiving").unwrap_or(false)))
}

/// Keeps a catalog.
pub(crate) async fn keep(
    database: &Database,
    session: &mut ClientSession,
    catalog: &Catalog,
    receiving: bool,
) -> Result<()> {
    let text = serde_json::to_string(catalog)
        .map_err(|error| Error::internal("the catalog can't be stored").with_source(error))?;
    database
        .collection::<Document>(CATALOG)
        .update_one(
            doc! { "_id": CURRENT },
            doc! { "$set": { "catalog": text, "receiving": receiving }, "$inc": { "version": 1_i64 } },
        )
        .session(session)
        .await
        .map(drop)
        .map_err(convert)
}

/// Migrations applied, in order.
pub(crate) async fn migrations(database: &Database) -> Result<Vec<AppliedMigration>> {
    Ok(recorded(database, doc! {}).await?.iter().filter_map(applied).collect())
}

/// Their names alone, without reading texts.
pub(crate) async fn migration_names(database: &Database) -> Result<Vec<String>> {
    let found = recorded(database, doc! { "_id": 1 }).await?;
    Ok(found.iter().filter_map(|document| document.get_str("_id").ok()).map(str::to_owned).collect())
}

/// What is recorded of each migration, in order.
async fn recorded(database: &Database, fields: Document) -> Result<Vec<Document>> {
    let migrations = database.collection::<Document>(MIGRATIONS);
    let cursor = migrations.find(doc! {}).projection(fields).sort(doc! { "at": 1 }).await.map_err(convert)?;
    cursor.try_collect().await.map_err(convert)
}

fn applied(document: &Document) -> Option<AppliedMigration> {
    let name = document.get_str("_id").ok()?.to_owned();
    Some(AppliedMigration { name, sql: document.get_str("sql").ok()?.to_owned() })
}

/// The place after the last migration.
pub(crate) async fn next_place(database: &Database) -> Result<i64> {
    let migrations = database.collection::<Document>(MIGRATIONS);
    let last = migrations.find_one(doc! {}).sort(doc! { "at": -1 }).await.map_err(convert)?;
    let at = last.as_ref().and_then(|last| last.get("at")).and_then(integer);
    Ok(at.map_or(0, |at| at.saturating_add(1)))
}

/// Records a migration as applied without running it; a text recorded before is replaced.
pub(crate) async fn adopt(database: &Database, op: &Adopt) -> Result<()> {
    let at = next_place(database).await?;
    database
        .collection::<Document>(MIGRATIONS)
        .update_one(
            doc! { "_id": &op.name },
            doc! { "$set": { "sql": &op.sql }, "$setOnInsert": { "at": at } },
        )
        .upsert(true)
        .await
        .map(drop)
        .map_err(convert)
}

/// Forgets that a migration was applied.
pub(crate) async fn forget(database: &Database, name: &str) -> Result<()> {
    let migrations = database.collection::<Document>(MIGRATIONS);
    migrations.delete_one(doc! { "_id": name }).await.map(drop).map_err(convert)
}

/// The same within a transaction.
pub(crate) async fn forget_within(
    database: &Database,
    session: &mut ClientSession,
    name: &str,
) -> Result<()> {
    let migrations = database.collection::<Document>(MIGRATIONS);
    migrations.delete_one(doc! { "_id": name }).session(session).await.map(drop).map_err(convert)
}

/// Records a migration; one of its name that another process recorded meanwhile is in its way.
pub(crate) async fn record(
    database: &Database,
    session: &mut ClientSession,
    at: i64,
    migration: &AppliedMigration,
) -> Result<()> {
    let document = doc! { "_id": &migration.name, "sql": &migration.sql, "at": at };
    database
        .collection::<Document>(MIGRATIONS)
        .insert_one(document)
        .session(session)
        .await
        .map(drop)
        .map_err(convert)
}

/// How often the server may have no snapshot yet, right after a collection was made.
const TRIES: u32 = 50;
/// The server's number of that.
const NO_SNAPSHOT: i32 = 246;

/// Collections that some consumer wants in the feed, and a moment: all that was acknowledged before lies at
/// or before it, and nothing that is committed later does. A snapshot has such a moment; the time that the
/// server tells otherwise may be that of a commit which overtook another.
pub(crate) async fn captured(database: &Database) -> Result<(Vec<String>, Timestamp)> {
    let command = doc! { "find": CAPTURES, "batchSize": 10_000_i64, "readConcern": { "level": "snapshot" } };
    let mut tried = 0;
    let reply = loop {
        match database.run_command(command.clone()).await {
            Ok(reply) => break reply,
            Err(error) if crate::error::code(&error) == Some(NO_SNAPSHOT) && tried < TRIES => {
                tried += 1;
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Err(error) => return Err(convert(error)),
        }
    };
    let untold = |error| Error::internal("the database tells no moment of a snapshot").with_source(error);
    let cursor = reply.get_document("cursor").map_err(untold)?;
    let moment = cursor.get_timestamp("atClusterTime").map_err(untold)?;
    let consumers = cursor.get_array("firstBatch").map(Vec::as_slice).unwrap_or_default();
    let tables = consumers.iter().filter_map(|one| one.as_document()?.get_array("tables").ok()).flatten();
    Ok((tables.filter_map(Bson::as_str).map(str::to_owned).collect(), moment))
}
