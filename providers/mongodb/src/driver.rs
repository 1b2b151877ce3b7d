//! The driver: each operation to what does it.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database};
use parking_lot::RwLock;
use truststream_kernel::{Context, Error, FeatureSet, Features, Result};
use truststream_services::database::{
    Adopt, Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Begin, Capture, Catalog,
    ChangeBatch, Changes, Chunk, Cost, DatabaseDriver, DatabaseFeature, Delete, Describe, Insert, Introspect,
    Introspection, Invoke, Migrate, MigrationNames, MigrationOutcome, Migrations, OpenTransaction, Page,
    Ping, Position, Prepare, PrepareClaimed, Problem, Rehearse, Revert, Review, Scan, Select, Update, Weigh,
    WriteOptions,
};

use crate::config::Config;
use crate::error::convert;
use crate::judge::is_needed;
use crate::schema::Schema;
use crate::stream::Streams;
use crate::work::Fate;
use crate::{
    apply, authorize, clock, feed, internal, introspect, migrate, prepare, read, scan, transaction, zone,
};

/// A database on a MongoDB server.
#[derive(Debug)]
pub struct MongoDriver {
    pub(crate) shared: Shared,
}

/// What requests share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) database: Database,
    schema: Arc<RwLock<Arc<Schema>>>,
    /// Streams of changes that may be gone on with.
    pub(crate) streams: Arc<Streams>,
}

impl Shared {
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.read())
    }

    /// Plans with another catalog from now on.
    pub(crate) fn replace(&self, catalog: Catalog, receiving: bool) {
        *self.schema.write() = Arc::new(Schema::new(catalog, receiving));
    }

    /// Reads the catalog again.
    pub(crate) async fn reload(&self) -> Result<()> {
        let (catalog, receiving) = internal::catalog(&self.database).await?;
        let present = self.schema();
        if catalog != *present.catalog || receiving != present.receiving {
            self.replace(catalog, receiving);
        }
        Ok(())
    }
}

impl MongoDriver {
    /// What MongoDB can do, and what is done for it in process.
    pub(crate) fn declares() -> Features {
        use DatabaseFeature::{
            Aggregates, ChangeFeed, CompositeColumns, Embeds, FullText, Functions, Partitions, Policies,
            Ranges, Regex, Representations, RequestFacts, Snapshots, Transactions,
        };
        Features {
            native: FeatureSet::of(&[Embeds, Aggregates, ChangeFeed, Snapshots, Transactions]),
            emulated: FeatureSet::of(&[
                CompositeColumns,
                FullText,
                Functions,
                Partitions,
                Policies,
                Ranges,
                Regex,
                Representations,
                RequestFacts,
            ]),
        }
    }

    /// Connects to a server.
    ///
    /// # Errors
    /// `BACKEND_002` for an address that is wrong or a server that is no replica set,
    /// `BACKEND_005` if it can't be reached.
    pub async fn open(config: Config) -> Result<Self> {
        let mut options = ClientOptions::parse(config.url.expose()).await.map_err(convert)?;
        let patience = Duration::from_secs(config.connect_timeout_s);
        options.app_name.get_or_insert_with(|| "truststream".to_owned());
        options.max_pool_size.get_or_insert(config.pool_size);
        options.connect_timeout.get_or_insert(patience);
        options.server_selection_timeout.get_or_insert(patience);
        let named = config.database.or_else(|| options.default_database.clone());
        let client = Client::with_options(options).map_err(convert)?;
        let database = client.database(named.as_deref().unwrap_or("truststream"));
        let hello = database.run_command(doc! { "hello": 1 }).await.map_err(convert)?;
        if !hello.contains_key("setName") && hello.get_str("msg").ok() != Some("isdbgrid") {
            return Err(Error::configuration(
                "the server is no replica set, so it has neither transactions nor a feed of changes",
            ));
        }
        internal::create(&database).await?;
        let (catalog, receiving) = internal::catalog(&database).await?;
        let schema = Arc::new(RwLock::new(Arc::new(Schema::new(catalog, receiving))));
        Ok(MongoDriver { shared: Shared { client, database, schema, streams: Arc::default() } })
    }
}

impl DatabaseDriver for MongoDriver {
    fn features(&self) -> Features {
        MongoDriver::declares()
    }

    async fn select(&self, cx: &Context, op: &Select) -> Result<Page> {
        if op.count.is_none() && !is_needed(&op.query) {
            return zone::within(&op.transaction, read::select(&self.shared, cx, op)).await;
        }
        // Rows and their number are of one moment, and so is what is judged of them.
        let selected = self
            .shared
            .transact(cx, op, |work, op| work.select(op).map(|page| page.map(Fate::Leave)).boxed());
        zone::within(&op.transaction, selected).await
    }

    async fn insert(&self, cx: &Context, op: &Insert) -> Result<Page> {
        let inserted = self
            .shared
            .transact(cx, op, |work, op| async move { fate(work.insert(op).await, &op.options) }.boxed());
        zone::within(&op.options.transaction, inserted).await
    }

    async fn update(&self, cx: &Context, op: &Update) -> Result<Page> {
        let updated = self
            .shared
            .transact(cx, op, |work, op| async move { fate(work.update(op).await, &op.options) }.boxed());
        zone::within(&op.options.transaction, updated).await
    }

    async fn delete(&self, cx: &Context, op: &Delete) -> Result<Page> {
        let deleted = self
            .shared
            .transact(cx, op, |work, op| async move { fate(work.delete(op).await, &op.options) }.boxed());
        zone::within(&op.options.transaction, deleted).await
    }

    async fn invoke(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        let called = self.shared.transact(cx, op, |work, op| {
            async move {
                let page = work.invoke(op).await?;
                Ok(match op.read_only {
                    true => Fate::Leave(page),
                    false if op.transaction.rollback => Fate::Undo(page),
                    false => Fate::Keep(page),
                })
            }
            .boxed()
        });
        zone::within(&op.transaction, called).await
    }

    async fn batch(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        let done = self
            .shared
            .transact(cx, op, |work, op| work.batch(op).map(|pages| pages.map(Fate::Keep)).boxed());
        clock::within(done).await
    }

    async fn begin(&self, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
        transaction::begin(&self.shared, cx, op).await
    }

    async fn authorize(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        authorize::authorize(&self.shared, cx, op).await
    }

    async fn describe(&self, _: &Context, op: &Describe) -> Result<Arc<Catalog>> {
        if op.fresh {
            self.shared.reload().await?;
        }
        Ok(Arc::clone(&self.shared.schema().catalog))
    }

    async fn review(&self, _: &Context, op: &Review) -> Result<Vec<Problem>> {
        let applied = internal::migration_names(&self.shared.database).await?;
        let mut fresh = op.migrations.clone();
        fresh.retain(|one| !applied.contains(&one.name));
        Ok(migrate::review(&self.shared.schema().catalog, &fresh))
    }

    async fn weigh(&self, _: &Context, _: &Weigh) -> Result<Vec<Cost>> {
        Ok(crate::weigh::weigh())
    }

    async fn migrate(&self, cx: &Context, op: &Migrate) -> Result<MigrationOutcome> {
        migrate::migrate(&self.shared, cx, op).await
    }

    async fn migrations(&self, _: &Context, _: &Migrations) -> Result<Vec<AppliedMigration>> {
        internal::migrations(&self.shared.database).await
    }

    async fn migration_names(&self, _: &Context, _: &MigrationNames) -> Result<Vec<String>> {
        internal::migration_names(&self.shared.database).await
    }

    async fn revert(&self, cx: &Context, op: &Revert) -> Result<()> {
        migrate::revert(&self.shared, cx, op).await
    }

    async fn adopt(&self, _: &Context, op: &Adopt) -> Result<()> {
        internal::adopt(&self.shared.database, op).await
    }

    async fn rehearse(&self, _: &Context, op: &Rehearse) -> Result<Introspection> {
        truststream_sql::rehearse::rehearse(&op.migrations)
    }

    async fn introspect(&self, _: &Context, op: &Introspect) -> Result<Introspection> {
        self.shared.reload().await?;
        introspect::introspect(&self.shared, op).await
    }

    async fn ping(&self, _: &Context, _: &Ping) -> Result<()> {
        self.shared.database.run_command(doc! { "ping": 1 }).await.map(drop).map_err(convert)
    }

    async fn capture(&self, _: &Context, op: &Capture) -> Result<Position> {
        feed::capture(&self.shared, op).await
    }

    async fn changes(&self, _: &Context, op: &Changes) -> Result<ChangeBatch> {
        feed::changes(&self.shared, op).await
    }

    async fn scan(&self, _: &Context, op: &Scan) -> Result<Chunk> {
        scan::scan(&self.shared, op).await
    }

    async fn prepare(&self, cx: &Context, op: &Prepare) -> Result<()> {
        prepare::prepare(&self.shared, cx, op).await
    }

    async fn prepare_claimed(&self, cx: &Context, op: &PrepareClaimed) -> Result<Applied> {
        prepare::prepare_claimed(&self.shared, cx, op).await
    }

    async fn apply(&self, cx: &Context, op: &Apply) -> Result<Applied> {
        apply::apply(&self.shared, cx, op).await
    }

    async fn applied_position(&self, _: &Context, op: &AppliedPosition) -> Result<Option<Position>> {
        apply::position(&self.shared, &op.origin).await
    }
}

/// A fate of `Undo` where the request asks for it.
fn fate<T>(done: Result<T>, options: &WriteOptions) -> Result<Fate<T>> {
    done.map(|done| if options.transaction.rollback { Fate::Undo(done) } else { Fate::Keep(done) })
}
