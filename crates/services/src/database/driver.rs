//! What a database provider implements.

use std::future::Future;
use std::sync::Arc;

use truststream_kernel::{Context, Error, Features, Result};

use super::{
    Adopt, Applied, AppliedMigration, AppliedPosition, Apply, Authorize, Batch, Begin, Capture, Catalog,
    ChangeBatch, Changes, Chunk, Cost, Delete, Describe, Fence, Insert, Introspect, Introspection, Invoke,
    Load, Migrate, MigrationNames, MigrationOutcome, Migrations, OpenTransaction, Packed, Packing, Page,
    Ping, Position, Prepare, PrepareClaimed, Problem, Raw, Rehearse, Revert, Review, Scan, SchemaMark,
    Select, Unload, Update, Weigh,
};

/// A database.
///
/// # Behavior
/// - Every operation is one transaction: all of it or nothing.
/// - `cx.caller` decides what may be seen and changed: policies hold for every role that does not
///   bypass them; `Caller::System` stands above them.
/// - A reply to a write means that it is durable.
/// - Errors carry PostgreSQL's SQLSTATE or PostgREST's `PGRST…` code, message, details and hint.
pub trait DatabaseDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Reads rows. The representation is built in the engine where it can.
    ///
    /// # Behavior
    /// With [`super::Media::Object`] any number of rows but one is PGRST116. An offset beyond the
    /// total of a counted query is PGRST103.
    fn select(&self, cx: &Context, op: &Select) -> impl Future<Output = Result<Page>> + Send;

    /// Inserts rows, or updates those whose key exists.
    fn insert(&self, cx: &Context, op: &Insert) -> impl Future<Output = Result<Page>> + Send;

    /// Changes rows.
    fn update(&self, cx: &Context, op: &Update) -> impl Future<Output = Result<Page>> + Send;

    /// Deletes rows.
    fn delete(&self, cx: &Context, op: &Delete) -> impl Future<Output = Result<Page>> + Send;

    /// Calls a function. PGRST202 if there is none with these parameters.
    fn invoke(&self, cx: &Context, op: &Invoke) -> impl Future<Output = Result<Page>> + Send;

    /// Applies several steps, all or none.
    ///
    /// # Behavior
    /// The error of a step that fails carries its index.
    fn batch(&self, cx: &Context, op: &Batch) -> impl Future<Output = Result<Vec<Page>>> + Send;

    /// Begins a transaction that stays open until it is ended, dropped or its deadline passes.
    ///
    /// # Behavior
    /// Each step acts for the caller of its own context and sees what the steps before it did.
    /// Nothing of it is visible to others before the commit, nor ever if it is dropped.
    fn begin(&self, _cx: &Context, _op: &Begin) -> impl Future<Output = Result<OpenTransaction>> + Send {
        std::future::ready(Err(Error::unsupported("this database has no transactions of several requests")))
    }

    /// Runs a query in the database's own SQL; the reply is a JSON array of its rows.
    fn raw(&self, _cx: &Context, _op: &Raw) -> impl Future<Output = Result<Page>> + Send {
        std::future::ready(Err(Error::unsupported("this database takes no queries in SQL")))
    }

    /// Decides which of the given rows the caller may see.
    fn authorize(&self, cx: &Context, op: &Authorize) -> impl Future<Output = Result<Vec<bool>>> + Send;

    /// The catalog; a cheap clone unless `fresh`.
    fn describe(&self, cx: &Context, op: &Describe) -> impl Future<Output = Result<Arc<Catalog>>> + Send;

    /// What of these migrations the engine can't hold; an engine that runs SQL as written holds all.
    fn review(&self, _cx: &Context, _op: &Review) -> impl Future<Output = Result<Vec<Problem>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// What of a catalog is emulated, and at what cost; an engine that runs SQL as written emulates
    /// nothing.
    fn weigh(&self, _cx: &Context, _op: &Weigh) -> impl Future<Output = Result<Vec<Cost>>> + Send {
        std::future::ready(Ok(Vec::new()))
    }

    /// Applies a migration once.
    ///
    /// # Behavior
    /// What the engine can't hold is refused before anything is applied (`0A000`, the details name
    /// statement, line and reason). A failing statement undoes the whole migration (`BACKEND_003`,
    /// with line and cause). The same name with another text is refused.
    fn migrate(&self, cx: &Context, op: &Migrate) -> impl Future<Output = Result<MigrationOutcome>> + Send;

    /// Migrations applied, in order.
    fn migrations(
        &self,
        cx: &Context,
        op: &Migrations,
    ) -> impl Future<Output = Result<Vec<AppliedMigration>>> + Send;

    /// Their names alone.
    ///
    /// # Behavior
    /// An engine that can leave the texts unread does; by default they are read and dropped.
    fn migration_names(
        &self,
        cx: &Context,
        _op: &MigrationNames,
    ) -> impl Future<Output = Result<Vec<String>>> + Send {
        async move {
            let applied = self.migrations(cx, &Migrations).await?;
            Ok(applied.into_iter().map(|migration| migration.name).collect())
        }
    }

    /// A mark of the schema that is there.
    ///
    /// # Behavior
    /// What TrustStream keeps for itself is not in it. None, as by default, where the schema is only what
    /// migrations made of it, or can't be looked at while writes are held.
    fn schema_mark(
        &self,
        _cx: &Context,
        _op: &SchemaMark,
    ) -> impl Future<Output = Result<Option<String>>> + Send {
        std::future::ready(Ok(None))
    }

    /// Takes a migration back and forgets it.
    ///
    /// # Behavior
    /// All of it or nothing. `BACKEND_003` if it was not applied, or a statement fails.
    fn revert(&self, _cx: &Context, _op: &Revert) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(Error::unsupported("this database can't take migrations back")))
    }

    /// Records a migration as applied without running it.
    fn adopt(&self, _cx: &Context, _op: &Adopt) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(Error::unsupported("this database records only migrations that it runs")))
    }

    /// What is really in the database.
    ///
    /// # Behavior
    /// Nothing is changed. What TrustStream keeps for itself is left out.
    fn introspect(
        &self,
        _cx: &Context,
        _op: &Introspect,
    ) -> impl Future<Output = Result<Introspection>> + Send {
        std::future::ready(Err(Error::unsupported("the schema of this database can't be found out")))
    }

    /// What migrations would make of an empty database of this kind.
    fn rehearse(&self, _cx: &Context, _op: &Rehearse) -> impl Future<Output = Result<Introspection>> + Send {
        std::future::ready(Err(Error::unsupported("this database can't rehearse migrations")))
    }

    /// Answers if the database does.
    fn ping(&self, cx: &Context, op: &Ping) -> impl Future<Output = Result<()>> + Send;

    /// Sets what a consumer wants captured.
    ///
    /// # Behavior
    /// When it returns, every transaction that commits from the returned position on is captured.
    fn capture(&self, cx: &Context, op: &Capture) -> impl Future<Output = Result<Position>> + Send;

    /// Reads the change feed.
    ///
    /// # Behavior
    /// Never skips a committed change, never repeats one for a consumer that goes on from the
    /// returned position, keeps the order within a key. A position whose changes were trimmed is an
    /// error (`BACKEND_010`), never a silent gap.
    fn changes(&self, cx: &Context, op: &Changes) -> impl Future<Output = Result<ChangeBatch>> + Send;

    /// Reads a chunk of a table in key order, at a known position of the feed.
    fn scan(&self, cx: &Context, op: &Scan) -> impl Future<Output = Result<Chunk>> + Send;

    /// In which form of its own it hands out a table's rows and takes them in; none by default.
    fn packing(&self, _cx: &Context, _op: &Packing) -> impl Future<Output = Result<Option<String>>> + Send {
        std::future::ready(Ok(None))
    }

    /// Reads rows in that form.
    fn unload(&self, _cx: &Context, _op: &Unload) -> impl Future<Output = Result<Packed>> + Send {
        std::future::ready(Err(no_packing()))
    }

    /// Takes in rows in that form.
    fn load(&self, _cx: &Context, _op: &Load) -> impl Future<Output = Result<Applied>> + Send {
        std::future::ready(Err(no_packing()))
    }

    /// Makes ready for receiving rows, and done with it.
    fn prepare(&self, cx: &Context, op: &Prepare) -> impl Future<Output = Result<()>> + Send;

    /// The same for whoever holds a claim, unless somebody else has taken it.
    fn prepare_claimed(
        &self,
        _cx: &Context,
        _op: &PrepareClaimed,
    ) -> impl Future<Output = Result<Applied>> + Send {
        std::future::ready(Err(Error::unsupported("this database is made ready by nobody in particular")))
    }

    /// Applies rows and changes of another database.
    fn apply(&self, cx: &Context, op: &Apply) -> impl Future<Output = Result<Applied>> + Send;

    /// Where a stream of [`Apply`] stands.
    fn applied_position(
        &self,
        cx: &Context,
        op: &AppliedPosition,
    ) -> impl Future<Output = Result<Option<Position>>> + Send;

    /// Closes tables to whoever writes to the database directly, or opens them again.
    ///
    /// # Behavior
    /// See [`super::FenceStep`]. Writers that do not end in time are a `Timeout`; nothing has changed
    /// then. A refused write fails with SQLSTATE 25006 and a message that says why.
    fn fence(&self, _cx: &Context, _op: &Fence) -> impl Future<Output = Result<()>> + Send {
        std::future::ready(Err(Error::unsupported("this database can't be closed to direct writers")))
    }
}

fn no_packing() -> Error {
    Error::unsupported("this database has no form of its own for rows on their way")
}
