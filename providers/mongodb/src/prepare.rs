//! Making ready for receiving another database, and done with it.
//!
//! Collections can't be dropped within a transaction. Which there are is looked up before it is looked
//! whether the claim still stands, and only those are dropped: whoever has taken the claim since has made
//! others of the same names.

use std::collections::HashMap;
use std::sync::Arc;

use futures::{FutureExt, TryStreamExt};
use mongodb::bson::{Binary, Document, doc};
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Applied, AppliedMigration, Apply, Catalog, Prepare, PrepareClaimed, Table, TableName,
};

use crate::ddl::{self, indexes};
use crate::driver::Shared;
use crate::error::{code, convert};
use crate::internal::{self, CURRENT};
use crate::names::{CATALOG, MIGRATIONS, SEQUENCES, STREAMS, collection};
use crate::schema::{Schema, base_tables};
use crate::work::{Fate, Work};
use crate::{migrate, sequence};

/// How far identities go on beyond the largest value seen, so that the database they came from can
/// go on a while too.
const HEAD_ROOM: i64 = 1_000;

/// Code of the error where somebody else has taken the claim.
const TAKEN: &str = "BACKEND_008";

/// Codes of the server's errors: no collection of this name, one of another identity, and a field that
/// it does not know.
const NOT_THERE: [i32; 2] = [26, 361];
const UNKNOWN_FIELD: i32 = 40415;

/// Does what is asked.
pub(crate) async fn prepare(shared: &Shared, cx: &Context, op: &Prepare) -> Result<()> {
    Preparing { shared, cx, claim: None }.step(op).await
}

/// The same, unless the stream that has to stand somewhere stands elsewhere by now.
pub(crate) async fn prepare_claimed(shared: &Shared, cx: &Context, op: &PrepareClaimed) -> Result<Applied> {
    let claim = Apply {
        origin: op.origin.clone(),
        expected: Some(op.expected.clone()),
        position: None,
        rows: Vec::new(),
        changes: Vec::new(),
    };
    match (Preparing { shared, cx, claim: Some(claim) }).step(&op.step).await {
        Ok(()) => Ok(Applied::Done),
        Err(error) if error.code() == TAKEN => Ok(Applied::Stale),
        Err(error) => Err(error),
    }
}

/// A step on its way.
struct Preparing<'a> {
    shared: &'a Shared,
    cx: &'a Context,
    /// Moves nothing on: only where its stream stands matters.
    claim: Option<Apply>,
}

/// What is written in one transaction with the look at the claim.
enum Write {
    /// Changes the one document of the catalog's collection.
    Catalog(Document),
    /// Removes documents of a collection.
    Remove(String, Document),
}

impl Preparing<'_> {
    async fn step(&self, op: &Prepare) -> Result<()> {
        self.shared.reload().await?;
        let present = if matches!(op, Prepare::Discard) { self.present().await? } else { HashMap::new() };
        self.write(&[]).await?;
        match op {
            Prepare::Begin { migrations } => self.begin(migrations).await,
            Prepare::Finish => self.finish().await,
            Prepare::Identities => identities(self.shared).await,
            Prepare::Discard => self.discard(&present).await,
            Prepare::Keep => self.write(&[Write::Catalog(doc! { "$unset": { "begun": "" } })]).await,
        }
    }

    /// # Errors
    /// `BACKEND_008` when somebody else has taken the claim: nothing is written then.
    async fn write(&self, writes: &[Write]) -> Result<()> {
        if self.claim.is_none() && writes.is_empty() {
            return Ok(());
        }
        let about = (self.claim.as_ref(), writes);
        match self.shared.transact(self.cx, &about, |work, about| work.write_claimed(about).boxed()).await? {
            Applied::Done => Ok(()),
            Applied::Stale => {
                let message = "another process makes this database ready";
                Err(Error::new(ErrorKind::Conflict, TAKEN, message))
            }
        }
    }

    async fn begin(&self, migrations: &[AppliedMigration]) -> Result<()> {
        let shared = self.shared;
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
        self.write(&[Write::Catalog(doc! { "$set": { "begun": before, "receiving": true } })]).await?;
        shared.replace(schema.catalog.as_ref().clone(), true);
        for (name, table) in base_tables(&schema.catalog) {
            ddl::unvalidate(&shared.database, name).await?;
            for index in awaiting(&schema.catalog, table) {
                ddl::remove(&shared.database, &collection(name), &index.name).await?;
            }
        }
        for migration in migrations {
            migrate::apply(shared, self.cx, migration, true, false).await?;
        }
        // What migrations inserted comes with the other rows.
        self.empty().await
    }

    async fn empty(&self) -> Result<()> {
        let schema = self.shared.schema();
        let all = base_tables(&schema.catalog).map(|(name, _)| Write::Remove(collection(name), doc! {}));
        self.write(&all.collect::<Vec<_>>()).await
    }

    async fn finish(&self) -> Result<()> {
        let shared = self.shared;
        let schema = shared.schema();
        for (name, table) in base_tables(&schema.catalog) {
            for index in awaiting(&schema.catalog, table) {
                ddl::make(&shared.database, &collection(name), index).await?;
            }
            ddl::validate(&shared.database, &schema.catalog, name, table).await?;
        }
        let whole = Arc::new(Schema::new(schema.catalog.as_ref().clone(), false));
        for (name, table) in base_tables(&whole.catalog).filter(|(_, table)| !table.foreign_keys.is_empty()) {
            let about = (Arc::clone(&whole), name, table);
            shared.transact(self.cx, &about, |work, about| work.referring_all(about).boxed()).await?;
        }
        self.write(&[Write::Catalog(doc! { "$set": { "receiving": false } })]).await?;
        shared.replace(schema.catalog.as_ref().clone(), false);
        identities(shared).await
    }

    /// Makes the database what it was before `Begin`: the same migrations, no rows. Where no `Begin`
    /// was, or after `Keep`, there is nothing to discard.
    async fn discard(&self, present: &HashMap<String, Option<Binary>>) -> Result<()> {
        let shared = self.shared;
        let states = shared.database.collection::<Document>(CATALOG);
        let state = states.find_one(doc! { "_id": CURRENT }).await.map_err(convert)?.unwrap_or_default();
        let Ok(begun) = state.get_str("begun") else { return Ok(()) };
        let migrations: Vec<AppliedMigration> = serde_json::from_str(begun)
            .map_err(|error| Error::internal("the remembered migrations can't be read").with_source(error))?;
        for (name, _) in base_tables(&shared.schema().catalog) {
            let called = collection(name);
            if let Some(identity) = present.get(&called) {
                self.remove(&called, identity.as_ref()).await?;
            }
        }
        // Who holds the claim goes on with it.
        let streams = match &self.claim {
            Some(claim) => doc! { "_id": { "$ne": &claim.origin } },
            None => doc! {},
        };
        self.write(&[
            Write::Remove(MIGRATIONS.to_owned(), doc! {}),
            Write::Remove(STREAMS.to_owned(), streams),
            Write::Remove(SEQUENCES.to_owned(), doc! {}),
            Write::Catalog(doc! { "$set": { "catalog": "{}", "receiving": false } }),
        ])
        .await?;
        shared.replace(Catalog::default(), false);
        for migration in &migrations {
            migrate::apply(shared, self.cx, migration, false, false).await?;
        }
        self.empty().await?;
        self.write(&[Write::Catalog(doc! { "$unset": { "begun": "" } })]).await
    }

    /// The collections there are, and what tells each from a later one of its name.
    async fn present(&self) -> Result<HashMap<String, Option<Binary>>> {
        let found = self.shared.database.list_collections().await.map_err(convert)?;
        let found = found.map_ok(|one| (one.name, one.info.uuid));
        found.try_collect().await.map_err(convert)
    }

    /// Removes a collection, if it still is this one.
    async fn remove(&self, called: &str, identity: Option<&Binary>) -> Result<()> {
        let database = &self.shared.database;
        if let Some(identity) = identity {
            let command = doc! { "drop": called, "collectionUUID": identity.clone() };
            match database.run_command(command).await {
                Ok(_) => return Ok(()),
                Err(error) if code(&error).is_some_and(|code| NOT_THERE.contains(&code)) => return Ok(()),
                // A server before 6.0 can't tell them apart.
                Err(error) if code(&error) == Some(UNKNOWN_FIELD) => {}
                Err(error) => return Err(convert(error)),
            }
        }
        database.collection::<Document>(called).drop().await.map_err(convert)
    }
}

/// The indexes that wait until a copy has ended.
fn awaiting(catalog: &Catalog, table: &Table) -> Vec<ddl::Wanted> {
    let now = indexes(catalog, table, true);
    indexes(catalog, table, false).into_iter().filter(|one| !now.contains(one)).collect()
}

impl Work {
    async fn write_claimed(&mut self, (claim, writes): &(Option<&Apply>, &[Write])) -> Result<Fate<Applied>> {
        if let Some(claim) = claim
            && !self.advanced(claim).await?
        {
            return Ok(Fate::Undo(Applied::Stale));
        }
        for write in *writes {
            match write {
                Write::Catalog(change) => {
                    let catalog = self.database.collection::<Document>(CATALOG);
                    let current = catalog.update_one(doc! { "_id": CURRENT }, change.clone());
                    current.session(&mut self.session).await.map_err(convert)?;
                }
                Write::Remove(called, which) => {
                    let rows = self.database.collection::<Document>(called);
                    rows.delete_many(which.clone()).session(&mut self.session).await.map_err(convert)?;
                }
            }
        }
        Ok(Fate::Keep(Applied::Done))
    }

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
