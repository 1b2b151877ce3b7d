//! Making ready for receiving another database, and done with it.

use std::sync::Arc;

use futures::FutureExt;
use mongodb::bson::{Document, doc};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{AppliedMigration, Catalog, Prepare, Table, TableName};

use crate::ddl::{self, indexes};
use crate::driver::Shared;
use crate::error::convert;
use crate::internal::{self, CURRENT};
use crate::names::{CATALOG, MIGRATIONS, SEQUENCES, STREAMS, collection};
use crate::schema::{Schema, base_tables};
use crate::work::{Fate, Work};
use crate::{migrate, sequence};

/// How far identities go on beyond the largest value seen, so that the database they came from can
/// go on a while too.
const HEAD_ROOM: i64 = 1_000;

/// Does what is asked.
pub(crate) async fn prepare(shared: &Shared, cx: &Context, op: &Prepare) -> Result<()> {
    shared.reload().await?;
    match op {
        Prepare::Begin { migrations } => begin(shared, cx, migrations).await,
        Prepare::Finish => finish(shared, cx).await,
        Prepare::Identities => identities(shared).await,
        Prepare::Discard => discard(shared, cx).await,
        Prepare::Keep => set(shared, doc! { "$unset": { "begun": "" } }).await,
    }
}

/// Changes the one document of the catalog's collection.
async fn set(shared: &Shared, change: Document) -> Result<()> {
    shared
        .database
        .collection::<Document>(CATALOG)
        .update_one(doc! { "_id": CURRENT }, change)
        .await
        .map(drop)
        .map_err(convert)
}

async fn begin(shared: &Shared, cx: &Context, migrations: &[AppliedMigration]) -> Result<()> {
    let schema = shared.schema();
    for (name, _) in base_tables(&schema.catalog) {
        let rows = shared.database.collection::<Document>(&collection(name));
        if rows.find_one(doc! {}).await.map_err(convert)?.is_some() {
            let message = format!("the database holds rows already, in table {name}");
            return Err(Error::new(ErrorKind::Constraint, "BACKEND_011", message));
        }
    }
    let before = serde_json::to_string(&internal::migrations(&shared.database).await?)
        .map_err(|error| Error::internal("the migrations can't be stored").with_source(error))?;
    set(shared, doc! { "$set": { "begun": before, "receiving": true } }).await?;
    shared.replace(schema.catalog.as_ref().clone(), true);
    for (name, table) in base_tables(&schema.catalog) {
        for index in awaiting(&schema.catalog, table) {
            ddl::remove(&shared.database, &collection(name), &index.name).await?;
        }
    }
    for migration in migrations {
        migrate::apply(shared, cx, migration, true, false).await?;
    }
    // What migrations inserted comes with the other rows.
    empty(shared, &shared.schema().catalog).await
}

/// The indexes that wait until a copy has ended.
fn awaiting(catalog: &Catalog, table: &Table) -> Vec<ddl::Wanted> {
    let now = indexes(catalog, table, true);
    indexes(catalog, table, false).into_iter().filter(|one| !now.contains(one)).collect()
}

async fn empty(shared: &Shared, catalog: &Catalog) -> Result<()> {
    for (name, _) in base_tables(catalog) {
        let rows = shared.database.collection::<Document>(&collection(name));
        rows.delete_many(doc! {}).await.map_err(convert)?;
    }
    Ok(())
}

async fn finish(shared: &Shared, cx: &Context) -> Result<()> {
    let schema = shared.schema();
    for (name, table) in base_tables(&schema.catalog) {
        for index in awaiting(&schema.catalog, table) {
            ddl::make(&shared.database, &collection(name), index).await?;
        }
    }
    let whole = Arc::new(Schema::new(schema.catalog.as_ref().clone(), false));
    for (name, table) in base_tables(&whole.catalog).filter(|(_, table)| !table.foreign_keys.is_empty()) {
        let about = (Arc::clone(&whole), name, table);
        shared.transact(cx, &about, |work, about| work.referring_all(about).boxed()).await?;
    }
    set(shared, doc! { "$set": { "receiving": false } }).await?;
    shared.replace(schema.catalog.as_ref().clone(), false);
    identities(shared).await
}

impl Work {
    /// Checks that all rows of a table refer to rows that exist.
    async fn referring_all(
        &mut self,
        (whole, name, table): &(Arc<Schema>, &TableName, &Table),
    ) -> Result<Fate<()>> {
        self.schema = Arc::clone(whole);
        let rows = self.found(&collection(name), doc! {}).await?;
        let rows: Vec<&Document> = rows.iter().collect();
        self.refer((name, table), &rows).await.map(Fate::Undo)
    }
}

async fn identities(shared: &Shared) -> Result<()> {
    for (name, table) in base_tables(&shared.schema().catalog) {
        sequence::advance(&shared.database, name, table, HEAD_ROOM).await?;
    }
    Ok(())
}

/// Makes the database what it was before `Begin`: the same migrations, no rows. Where no `Begin`
/// was, or after `Keep`, there is nothing to discard.
async fn discard(shared: &Shared, cx: &Context) -> Result<()> {
    let states = shared.database.collection::<Document>(CATALOG);
    let state = states.find_one(doc! { "_id": CURRENT }).await.map_err(convert)?.unwrap_or_default();
    let Ok(begun) = state.get_str("begun") else { return Ok(()) };
    let migrations: Vec<AppliedMigration> = serde_json::from_str(begun)
        .map_err(|error| Error::internal("the remembered migrations can't be read").with_source(error))?;
    for (name, _) in base_tables(&shared.schema().catalog) {
        shared.database.collection::<Document>(&collection(name)).drop().await.map_err(convert)?;
    }
    for own in [MIGRATIONS, STREAMS, SEQUENCES] {
        shared.database.collection::<Document>(own).delete_many(doc! {}).await.map_err(convert)?;
    }
    set(shared, doc! { "$set": { "catalog": "{}", "receiving": false } }).await?;
    shared.replace(Catalog::default(), false);
    for migration in &migrations {
        migrate::apply(shared, cx, migration, false, false).await?;
    }
    empty(shared, &shared.schema().catalog).await?;
    set(shared, doc! { "$unset": { "begun": "" } }).await
}
