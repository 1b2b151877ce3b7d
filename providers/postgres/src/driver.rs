//! The Database service on PostgreSQL.

use std::sync::Arc;

use arc_swap::ArcSwap;
use truststream_kernel::{Context, Error, FeatureSet, Features, Result};
use truststream_services::database::{
    Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Capture, Catalog, ChangeBatch,
    Changes, Chunk, DatabaseDriver, DatabaseFeature, Delete, Describe, Insert, Invoke, Migrate,
    MigrationOutcome, Migrations, Page, Ping, Position, Prepare, Scan, Select, Update,
};

use crate::config::Config;
use crate::error::{PROVIDER, failed};
use crate::introspect;
use crate::pool::Connections;
use crate::schema::Schema;
use crate::transaction::Transactions;

/// A PostgreSQL database. Cheap to clone.
#[derive(Clone)]
pub struct PostgresDriver {
    pub(crate) shared: Arc<Shared>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) transactions: Transactions,
    pub(crate) schema: ArcSwap<Schema>,
}

impl PostgresDriver {
    /// Connects, sets up an empty database if the configuration says so, and reads the schema.
    ///
    /// # Errors
    /// `Configuration` for a malformed URL, `Unavailable` (BACKEND_005) if the database can't be
    /// reached.
    pub async fn connect(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        let connections = Connections::open(&config).await?;
        let transactions = Transactions::new(connections, Arc::clone(&config));
        let shared = Shared { config, transactions, schema: ArcSwap::default() };
        let driver = PostgresDriver { shared: Arc::new(shared) };
        driver.reload().await?;
        Ok(driver)
    }

    /// Reads the schema anew.
    pub(crate) async fn reload(&self) -> Result<Arc<Schema>> {
        let connection = self.shared.transactions.connections().lease().await?;
        let schema = Arc::new(introspect::read(&connection).await?);
        connection.give_back();
        self.shared.schema.store(Arc::clone(&schema));
        Ok(schema)
    }

    /// The schema that requests are planned against.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        self.shared.schema.load_full()
    }
}

impl DatabaseDriver for PostgresDriver {
    fn features(&self) -> Features {
        Features { native: FeatureSet::all::<DatabaseFeature>(), emulated: FeatureSet::EMPTY }
    }

    async fn select(&self, cx: &Context, op: &Select) -> Result<Page> {
        self.read(cx, op).await.map_err(|error| error.during("select", PROVIDER))
    }

    async fn insert(&self, cx: &Context, op: &Insert) -> Result<Page> {
        self.add(cx, op).await.map_err(|error| error.during("insert", PROVIDER))
    }

    async fn update(&self, cx: &Context, op: &Update) -> Result<Page> {
        self.change(cx, op).await.map_err(|error| error.during("update", PROVIDER))
    }

    async fn delete(&self, cx: &Context, op: &Delete) -> Result<Page> {
        self.remove(cx, op).await.map_err(|error| error.during("delete", PROVIDER))
    }

    async fn invoke(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        self.call(cx, op).await.map_err(|error| error.during("invoke", PROVIDER))
    }

    async fn batch(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        self.steps(cx, op).await.map_err(|error| error.during("batch", PROVIDER))
    }

    async fn authorize(&self, _cx: &Context, _op: &Authorize) -> Result<Vec<bool>> {
        Err(Error::unsupported("not yet"))
    }

    async fn describe(&self, _cx: &Context, op: &Describe) -> Result<Arc<Catalog>> {
        let schema = if op.fresh { self.reload().await? } else { self.schema() };
        Ok(Arc::clone(&schema.catalog))
    }

    async fn migrate(&self, _cx: &Context, _op: &Migrate) -> Result<MigrationOutcome> {
        Err(Error::unsupported("not yet"))
    }

    async fn migrations(&self, _cx: &Context, _op: &Migrations) -> Result<Vec<AppliedMigration>> {
        Err(Error::unsupported("not yet"))
    }

    async fn ping(&self, _cx: &Context, _op: &Ping) -> Result<()> {
        let connection = self.shared.transactions.connections().lease().await?;
        connection.batch_execute("").await.map_err(failed)?;
        connection.give_back();
        Ok(())
    }

    async fn capture(&self, _cx: &Context, _op: &Capture) -> Result<Position> {
        Err(Error::unsupported("not yet"))
    }

    async fn changes(&self, _cx: &Context, _op: &Changes) -> Result<ChangeBatch> {
        Err(Error::unsupported("not yet"))
    }

    async fn scan(&self, _cx: &Context, _op: &Scan) -> Result<Chunk> {
        Err(Error::unsupported("not yet"))
    }

    async fn prepare(&self, _cx: &Context, _op: &Prepare) -> Result<()> {
        Err(Error::unsupported("not yet"))
    }

    async fn apply(&self, _cx: &Context, _op: &Apply) -> Result<Applied> {
        Err(Error::unsupported("not yet"))
    }

    async fn applied_position(&self, _cx: &Context, _op: &AppliedPosition) -> Result<Option<Position>> {
        Err(Error::unsupported("not yet"))
    }
}
