//! The driver: each operation to the thread that does it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Error, Features, Result};
use truststream_lock::Lock;
use truststream_services::database::{
    Adopt, Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Begin, Capture, Catalog,
    ChangeBatch, Changes, Chunk, Cost, DatabaseDriver, Delete, Describe, Fence, Insert, Introspect,
    Introspection, Invoke, Migrate, MigrationNames, MigrationOutcome, Migrations, OpenTransaction, Page,
    Ping, Position, Prepare, PrepareClaimed, Problem, Raw, Rehearse, Revert, Review, Scan, Select, Step,
    Table, Update, Weigh,
};

use crate::config::{Config, MemoryConfig, Synchronous};
use crate::connection::Conn;
use crate::ddl::existing;
use crate::place::Place;
use crate::readers::Readers;
use crate::schema::Schema;
use crate::session::in_zone;
use crate::write::{Write, fate};
use crate::writer::{Fate, Writer};
use crate::{
    apply, authorize, feed, fence, internal, introspect, migrate, prepare, read, routine, scan, transaction,
    words,
};

/// A database in a file or in memory.
#[derive(Debug)]
pub struct SqliteDriver {
    pub(crate) shared: Shared,
    lock: Option<Lock>,
}

/// What requests share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
    pub(crate) retention: Arc<feed::Retention>,
    schema: Arc<RwLock<Arc<Schema>>>,
}

impl Shared {
    pub(crate) fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema.read())
    }

    /// Plans with another catalog from now on.
    pub(crate) fn replace(&self, catalog: Catalog) {
        let mut schema = self.schema.write();
        *schema = Arc::new(Schema::new(catalog, schema.estimate_above));
    }
}

impl SqliteDriver {
    /// Opens a database; it is made if it is missing.
    ///
    /// # Errors
    /// `BACKEND_014` if another process has it open.
    pub async fn open(config: Config) -> Result<Self> {
        opening(move || {
            if let Some(folder) = config.path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| {
                    Error::configuration(format!("can't make the folder {}", folder.display()))
                        .with_source(error)
                })?;
            }
            SqliteDriver::open_at(&Place::File(config.path.clone()), &config)
        })
        .await
    }

    /// Opens a new database in memory that lives as long as the driver.
    ///
    /// # Errors
    /// `Unavailable` if the writing thread can't be started.
    pub async fn in_memory(config: MemoryConfig) -> Result<Self> {
        let MemoryConfig { readers, feed_retention_s, estimate_above } = config;
        // A commit in memory has nothing to wait for.
        let synchronous = Synchronous::Normal;
        let config = Config { readers, feed_retention_s, estimate_above, synchronous, ..Config::default() };
        opening(move || SqliteDriver::open_at(&Place::memory(), &config)).await
    }

    fn open_at(place: &Place, config: &Config) -> Result<Self> {
        let lock = place.lock()?;
        let first = Conn::writer(place, config.synchronous)?;
        internal::create(&first.sql)?;
        let catalog = internal::catalog(&first.sql)?;
        feed::renew(&first.sql, &catalog)?;
        words::begin(&first.sql, &catalog)?;
        let writer = Writer::start(place, config.synchronous)?;
        // A database in memory lasts as long as a connection to it does.
        drop(first);
        let readers = Readers::new(place.clone(), config.readers);
        let schema = Arc::new(RwLock::new(Arc::new(Schema::new(catalog, config.estimate_above))));
        let retention = Arc::new(feed::Retention::new(Duration::from_secs(config.feed_retention_s)));
        let shared = Shared { writer, readers, retention, schema };
        Ok(SqliteDriver { shared, lock })
    }
}

async fn opening<F>(open: F) -> Result<SqliteDriver>
where
    F: FnOnce() -> Result<SqliteDriver> + Send + 'static,
{
    tokio::task::spawn_blocking(open)
        .await
        .map_err(|error| Error::internal("opening the database stopped").with_source(error))?
}

impl Shared {
    async fn write<T, F>(&self, cx: &Context, rollback: bool, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T> + Send + 'static,
    {
        let (shared, caller) = (self.clone(), cx.clone());
        let work = move |conn: &Conn| {
            // Read here, on the writing thread, it is the schema of this very transaction.
            let schema = shared.schema();
            let done = work(&Write { conn, schema: &schema, cx: &caller })?;
            if rollback && schema.defers {
                existing::references(&conn.sql, &schema.catalog)?;
            }
            Ok(fate(done, rollback))
        };
        // What is looked at when a transaction ends must not fail others.
        if self.schema().defers {
            return self.writer.run_alone(cx, work).await;
        }
        self.writer.run(cx, work).await
    }

    /// Writes with all foreign keys looked at when the request is over.
    async fn write_deferred<T, F>(&self, cx: &Context, rollback: bool, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Write<'_>) -> Result<T> + Send + 'static,
    {
        let (shared, caller) = (self.clone(), cx.clone());
        let work = move |conn: &Conn| {
            conn.sql.execute_batch("PRAGMA defer_foreign_keys=ON").map_err(crate::error::convert)?;
            let schema = shared.schema();
            let done = work(&Write { conn, schema: &schema, cx: &caller })?;
            if rollback {
                existing::references(&conn.sql, &schema.catalog)?;
            }
            Ok(fate(done, rollback))
        };
        self.writer.run_alone(cx, work).await
    }

    /// Does something on the writing thread without planning.
    pub(crate) async fn on_writer<T, F>(&self, cx: &Context, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<T> + Send + 'static,
    {
        self.writer.run(cx, move |conn| work(conn).map(Fate::Keep)).await
    }

    /// Reads on a thread that may block.
    pub(crate) async fn read<T, F>(&self, cx: &Context, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Conn) -> Result<T> + Send + 'static,
    {
        self.readers.elsewhere(cx, read).await
    }
}

impl DatabaseDriver for SqliteDriver {
    fn features(&self) -> Features {
        // Only a file is locked against other processes.
        if self.lock.is_some() { SqliteDriver::declares() } else { SqliteDriver::declares_in_memory() }
    }

    async fn select(&self, cx: &Context, op: &Select) -> Result<Page> {
        let schema = self.shared.schema();
        if op.transaction.rollback || read::is_cheap(&schema, op) {
            return self
                .shared
                .readers
                .here(cx, |conn| in_zone(&op.transaction, || read::select(conn, &schema, cx, op)));
        }
        let (caller, op) = (cx.clone(), op.clone());
        self.shared
            .read(cx, move |conn| in_zone(&op.transaction, || read::select(conn, &schema, &caller, &op)))
            .await
    }

    async fn insert(&self, cx: &Context, op: &Insert) -> Result<Page> {
        let (op, rollback) = (op.clone(), op.options.transaction.rollback);
        let refers = |table: &Table| table.foreign_keys.iter().any(|key| key.references == op.table);
        // Rows of one request may refer to one another in any order.
        let many = op.rows.in_memory().is_none_or(|rows| rows.first() == Some(&b'['))
            && self.shared.schema().catalog.table(&op.table).is_some_and(refers);
        if many {
            return self
                .shared
                .write_deferred(cx, rollback, move |write| {
                    in_zone(&op.options.transaction, || write.insert(&op).and_then(|page| write.told(page)))
                })
                .await;
        }
        self.shared
            .write(cx, rollback, move |write| {
                in_zone(&op.options.transaction, || write.insert(&op).and_then(|page| write.told(page)))
            })
            .await
    }

    async fn update(&self, cx: &Context, op: &Update) -> Result<Page> {
        let op = op.clone();
        self.shared
            .write(cx, op.options.transaction.rollback, move |write| {
                in_zone(&op.options.transaction, || write.update(&op).and_then(|page| write.told(page)))
            })
            .await
    }

    async fn delete(&self, cx: &Context, op: &Delete) -> Result<Page> {
        let op = op.clone();
        self.shared
            .write(cx, op.options.transaction.rollback, move |write| {
                in_zone(&op.options.transaction, || write.delete(&op).and_then(|page| write.told(page)))
            })
            .await
    }

    async fn invoke(&self, cx: &Context, op: &Invoke) -> Result<Page> {
        let op = op.clone();
        if routine::reads_only(&self.shared.schema(), &op)? {
            let (shared, caller) = (self.shared.clone(), cx.clone());
            let calling = move |conn: &Conn| {
                let _snapshot = conn.sql.unchecked_transaction().map_err(crate::error::convert)?;
                let write = Write { conn, schema: &shared.schema(), cx: &caller };
                in_zone(&op.transaction, || write.invoke(&op))
            };
            return self.shared.read(cx, calling).await;
        }
        self.shared
            .write(cx, op.transaction.rollback, move |write| in_zone(&op.transaction, || write.invoke(&op)))
            .await
    }

    async fn raw(&self, cx: &Context, op: &Raw) -> Result<Page> {
        let op = op.clone();
        if op.read_only {
            let (shared, caller) = (self.shared.clone(), cx.clone());
            let reading = move |conn: &Conn| Write { conn, schema: &shared.schema(), cx: &caller }.raw(&op);
            return self.shared.read(cx, reading).await;
        }
        self.shared.write(cx, false, move |write| write.raw(&op)).await
    }

    async fn batch(&self, cx: &Context, op: &Batch) -> Result<Vec<Page>> {
        let op = op.clone();
        if op.steps.iter().all(Step::only_reads) {
            let (shared, caller) = (self.shared.clone(), cx.clone());
            let reading = move |conn: &Conn| {
                let _snapshot = conn.sql.unchecked_transaction().map_err(crate::error::convert)?;
                Write { conn, schema: &shared.schema(), cx: &caller }.batch(&op)
            };
            return self.shared.read(cx, reading).await;
        }
        self.shared.write(cx, false, move |write| write.batch(&op)).await
    }

    async fn begin(&self, cx: &Context, op: &Begin) -> Result<OpenTransaction> {
        transaction::begin(&self.shared, cx, op).await
    }

    async fn authorize(&self, cx: &Context, op: &Authorize) -> Result<Vec<bool>> {
        let schema = self.shared.schema();
        self.shared.readers.here(cx, |conn| authorize::authorize(conn, &schema, cx, op))
    }

    async fn describe(&self, cx: &Context, op: &Describe) -> Result<Arc<Catalog>> {
        if op.fresh {
            let catalog = self.shared.read(cx, |conn| internal::catalog(&conn.sql)).await?;
            if catalog != *self.shared.schema().catalog {
                self.shared.replace(catalog);
            }
        }
        Ok(Arc::clone(&self.shared.schema().catalog))
    }

    async fn review(&self, _: &Context, op: &Review) -> Result<Vec<Problem>> {
        Ok(migrate::review(&self.shared.schema().catalog, &op.migrations))
    }

    async fn weigh(&self, _: &Context, op: &Weigh) -> Result<Vec<Cost>> {
        Ok(crate::weigh::weigh(op))
    }

    async fn migrate(&self, cx: &Context, op: &Migrate) -> Result<MigrationOutcome> {
        migrate::migrate(&self.shared, cx, op).await
    }

    async fn revert(&self, cx: &Context, op: &Revert) -> Result<()> {
        migrate::revert(&self.shared, cx, op).await
    }

    async fn adopt(&self, cx: &Context, op: &Adopt) -> Result<()> {
        migrate::adopt(&self.shared, cx, op).await
    }

    async fn introspect(&self, cx: &Context, _: &Introspect) -> Result<Introspection> {
        let catalog = Arc::clone(&self.shared.schema().catalog);
        self.shared.read(cx, move |conn| introspect::introspect(&conn.sql, &catalog)).await
    }

    async fn rehearse(&self, _: &Context, op: &Rehearse) -> Result<Introspection> {
        truststream_sql::rehearse::rehearse(&op.migrations)
    }

    async fn migrations(&self, cx: &Context, _: &Migrations) -> Result<Vec<AppliedMigration>> {
        self.shared.read(cx, |conn| internal::migrations(&conn.sql)).await
    }

    async fn migration_names(&self, cx: &Context, _: &MigrationNames) -> Result<Vec<String>> {
        self.shared.read(cx, |conn| internal::migration_names(&conn.sql)).await
    }

    async fn ping(&self, cx: &Context, _: &Ping) -> Result<()> {
        self.shared
            .readers
            .here(cx, |conn| {
                conn.sql.query_row("SELECT 1", [], |row| row.get::<_, Cell>(0)).map_err(crate::error::convert)
            })
            .map(drop)
    }

    async fn capture(&self, cx: &Context, op: &Capture) -> Result<Position> {
        feed::capture(&self.shared, cx, op).await
    }

    async fn changes(&self, cx: &Context, op: &Changes) -> Result<ChangeBatch> {
        feed::changes(&self.shared, cx, op).await
    }

    async fn scan(&self, cx: &Context, op: &Scan) -> Result<Chunk> {
        let (schema, op) = (self.shared.schema(), op.clone());
        self.shared.read(cx, move |conn| scan::scan(conn, &schema, &op)).await
    }

    async fn prepare(&self, cx: &Context, op: &Prepare) -> Result<()> {
        prepare::prepare(&self.shared, cx, op, None).await.map(drop)
    }

    async fn prepare_claimed(&self, cx: &Context, op: &PrepareClaimed) -> Result<Applied> {
        prepare::prepare(&self.shared, cx, &op.step, Some((&op.origin, &op.expected))).await
    }

    async fn apply(&self, cx: &Context, op: &Apply) -> Result<Applied> {
        apply::apply(&self.shared, cx, op).await
    }

    async fn applied_position(&self, cx: &Context, op: &AppliedPosition) -> Result<Option<Position>> {
        let origin = op.origin.clone();
        self.shared.read(cx, move |conn| apply::position(&conn.sql, &origin)).await
    }

    async fn fence(&self, cx: &Context, op: &Fence) -> Result<()> {
        fence::fence(&self.shared, cx, op).await
    }
}
