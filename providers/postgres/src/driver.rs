//! The Database service on PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use truststream_kernel::{Context, FeatureSet, Features, Result};
use truststream_services::database::{
    Adopt, Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Begin, Capture, Catalog,
    ChangeBatch, Changes, Chunk, DatabaseDriver, DatabaseFeature, Delete, Describe, Fence, Insert,
    Introspect, Introspection, Invoke, Load, Migrate, MigrationNames, MigrationOutcome, Migrations,
    OpenTransaction, Packed, Packing, Page, Ping, Position, Prepare, PrepareClaimed, Raw, Rehearse, Revert,
    Scan, SchemaMark, Select, Unload, Update,
};

use crate::config::Config;
use crate::error::{PROVIDER, failed};
use crate::introspect;
use crate::pool::Connections;
use crate::replica::Replica;
use crate::schema::Schema;
use crate::settings::Settings;
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
    /// One reading of the schema at a time: what was read earlier must not be kept last.
    reading: tokio::sync::Mutex<()>,
    /// Schema `truststream` is known to exist.
    pub(crate) installed: AtomicBool,
    /// Whether temporary tables may be made; asked when it matters first.
    pub(crate) may_pour: tokio::sync::OnceCell<bool>,
    /// When the change log was trimmed last.
    pub(crate) trims: Pace,
    /// When a request had the catalogs looked at last.
    pub(crate) looks: Pace,
}

/// Says when something is due again.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether `every` has passed since it was due last.
    pub(crate) fn due(&self, every: Duration) -> bool {
        let mut last = self.0.lock();
        let due = last.is_none_or(|last| last.elapsed() >= every);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl PostgresDriver {
    /// What PostgreSQL can do: everything, the language is its own.
    pub(crate) fn declares() -> Features {
        Features { native: FeatureSet::all::<DatabaseFeature>(), emulated: FeatureSet::EMPTY }
    }

    /// Connects, sets up an empty database if the configuration says so, and reads the schema.
    ///
    /// # Errors
    /// `Configuration` for a malformed URL, `Unavailable` (BACKEND_005) if the database can't be
    /// reached.
    pub async fn connect(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        let connections = Connections::open(&config).await?;
        let transactions = Transactions::new(connections, Replica::of(&config)?, Arc::clone(&config));
        let shared = Shared {
            config,
            transactions,
            schema: ArcSwap::default(),
            reading: tokio::sync::Mutex::default(),
            installed: AtomicBool::new(false),
            may_pour: tokio::sync::OnceCell::new(),
            trims: Pace::default(),
            looks: Pace::default(),
        };
        let driver = PostgresDriver { shared: Arc::new(shared) };
        if driver.shared.config.bootstrap {
            driver.set_up().await?;
        }
        driver.reload().await?;
        driver.watch()?;
        Ok(driver)
    }

    /// Makes what TrustStream keeps in the database. A role that may not can still serve requests.
    async fn set_up(&self) -> Result<()> {
        match self.own().await {
            Ok(connection) => connection.give_back(),
            Err(error) if error.code() == "42501" => {
                tracing::warn!("schema truststream can't be made here: no migrations, feed or switch");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads the schema anew.
    pub(crate) async fn reload(&self) -> Result<Arc<Schema>> {
        let _one_at_a_time = self.shared.reading.lock().await;
        let connection = self.shared.transactions.connections().lease().await?;
        let known = Arc::clone(&self.shared.schema.load().time_zones);
        let (schema, stored) = introspect::read(&connection, known).await?;
        if let Some(replica) = self.shared.transactions.replica() {
            replica.changed(&connection).await?;
        }
        connection.give_back();
        let schema = Arc::new(schema);
        self.shared.transactions.set(Settings::new(&self.shared.config, stored));
        self.shared.schema.store(Arc::clone(&schema));
        Ok(schema)
    }

    /// Runs a request, and once more if it failed for something that is known only now.
    async fn informed<T, F: Future<Output = Result<T>>>(&self, run: impl Fn() -> F) -> Result<T> {
        match run().await {
            // Boxed, because both are large and most requests succeed.
            Err(error) if Box::pin(self.knows_more_than(&error)).await => Box::pin(run()).await,
            answered => answered,
        }
    }

    /// The schema that requests are planned against.
    pub(crate) fn schema(&self) -> Arc<Schema> {
        self.shared.schema.load_full()
    }
}

impl DatabaseDriver for PostgresDriver {
    fn features(&self) -> Features {
        PostgresDriver::declares()
    }

    async fn select(&self, cx: &Context, op: &Select) -> Result<Page> {
        self.informed(|| self.read(cx, op)).await.map_err(|error| error.during("select", PROVIDER))
    }

    async fn insert(&self, cx: &Context, op: &Insert) -> Result<Page> {
        self.informed(|| self.add(cx, op)).await.map_err(|error| error.during("insert", PROVIDER))
    }

    async fn update(&self, cx: &Context, op: &Update) -> Result<Page> {
        self.informed(|| self.change(cx, op)).await.map_err(|error| error.during("update", PROVIDER))
    }

    async fn delete(&self, cx: &Context, op: &Delete) -> Result<Page> {
        self.informed(|| self.remove(cx, op)).await.map_err(|error| error.during("delete", PROVIDER))
    }

    async fn invoke(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        self.informed(|| self.call(cx, op)).await.map_err(|error| error.during("invoke", PROVIDER))
    }

    async fn batch(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        self.informed(|| self.steps(cx, op)).await.map_err(|error| error.during("batch", PROVIDER))
    }

    async fn begin(&self, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
        self.open(cx, op).await.map_err(|error| error.during("begin", PROVIDER))
    }

    async fn raw(&self, cx: &Context, op: &Raw) -> Result<Page> {
        self.run_raw(cx, op).await.map_err(|error| error.during("raw", PROVIDER))
    }

    async fn authorize(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        self.informed(|| self.verdicts(cx, op)).await.map_err(|error| error.during("authorize", PROVIDER))
    }

    async fn describe(&self, _cx: &Context, op: &Describe) -> Result<Arc<Catalog>> {
        let schema = if op.fresh { Box::pin(self.reload()).await? } else { self.schema() };
        Ok(Arc::clone(&schema.catalog))
    }

    async fn migrate(&self, _cx: &Context, op: &Migrate) -> Result<MigrationOutcome> {
        self.apply_migration(op).await.map_err(|error| error.during("migrate", PROVIDER))
    }

    async fn revert(&self, _: &Context, op: &Revert) -> Result<()> {
        self.revert_migration(op).await
    }

    async fn adopt(&self, _: &Context, op: &Adopt) -> Result<()> {
        self.adopt_migration(op).await
    }

    async fn introspect(&self, _: &Context, _: &Introspect) -> Result<Introspection> {
        self.found_out().await
    }

    async fn rehearse(&self, _: &Context, op: &Rehearse) -> Result<Introspection> {
        self.rehearsed(op).await
    }

    async fn migrations(&self, _cx: &Context, _op: &Migrations) -> Result<Vec<AppliedMigration>> {
        self.applied_migrations().await.map_err(|error| error.during("migrations", PROVIDER))
    }

    async fn migration_names(&self, _cx: &Context, _op: &MigrationNames) -> Result<Vec<String>> {
        self.names_of_migrations().await.map_err(|error| error.during("migration_names", PROVIDER))
    }

    async fn schema_mark(&self, _cx: &Context, _op: &SchemaMark) -> Result<Option<String>> {
        self.mark().await.map_err(|error| error.during("schema_mark", PROVIDER))
    }

    async fn ping(&self, _cx: &Context, _op: &Ping) -> Result<()> {
        let connection = self.shared.transactions.connections().lease().await?;
        connection.batch_execute("").await.map_err(failed)?;
        connection.give_back();
        Ok(())
    }

    async fn capture(&self, _cx: &Context, op: &Capture) -> Result<Position> {
        self.set_capture(op).await.map_err(|error| error.during("capture", PROVIDER))
    }

    async fn changes(&self, _cx: &Context, op: &Changes) -> Result<ChangeBatch> {
        self.read_changes(op).await.map_err(|error| error.during("changes", PROVIDER))
    }

    async fn scan(&self, _cx: &Context, op: &Scan) -> Result<Chunk> {
        self.read_chunk(op).await.map_err(|error| error.during("scan", PROVIDER))
    }

    async fn packing(&self, _cx: &Context, op: &Packing) -> Result<Option<String>> {
        self.packing_of(op)
    }

    async fn unload(&self, _cx: &Context, op: &Unload) -> Result<Packed> {
        self.unload_rows(op).await.map_err(|error| error.during("unload", PROVIDER))
    }

    async fn load(&self, _cx: &Context, op: &Load) -> Result<Applied> {
        self.load_rows(op).await.map_err(|error| error.during("load", PROVIDER))
    }

    async fn prepare(&self, _cx: &Context, op: &Prepare) -> Result<()> {
        self.make_ready(op, None).await.map(drop).map_err(|error| error.during("prepare", PROVIDER))
    }

    async fn prepare_claimed(&self, _cx: &Context, op: &PrepareClaimed) -> Result<Applied> {
        let claim = Some((op.origin.as_str(), &op.expected));
        self.make_ready(&op.step, claim).await.map_err(|error| error.during("prepare", PROVIDER))
    }

    async fn apply(&self, _cx: &Context, op: &Apply) -> Result<Applied> {
        self.apply_stream(op).await.map_err(|error| error.during("apply", PROVIDER))
    }

    async fn applied_position(&self, _cx: &Context, op: &AppliedPosition) -> Result<Option<Position>> {
        self.stream_position(&op.origin).await.map_err(|error| error.during("applied_position", PROVIDER))
    }

    async fn fence(&self, _cx: &Context, op: &Fence) -> Result<()> {
        self.set_fence(op).await.map_err(|error| error.during("fence", PROVIDER))
    }
}
