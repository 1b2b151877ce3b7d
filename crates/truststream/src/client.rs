//! An open project, as one caller sees it.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use truststream_kernel::{Context, Result};
use truststream_runtime::config::Config;
use truststream_runtime::{Faults, Migrated, ProjectFiles, Runtime};
use truststream_services::auth::{Authenticate, Session};
use truststream_services::database::{Catalog, Database, Describe, Migrate, MigrationOutcome, TableName};

use crate::auth::Auth;
use crate::failover::Failovers;
use crate::open;
use crate::query::{Atomic, Call, RawQuery, Table};
use crate::realtime::Realtime;
use crate::storage::Storage;
use crate::switch::Switch;
use crate::transaction::{Outside, Transaction, Tx};
use crate::transfer::{Import, RowFormat};

/// How long [`TrustStream::close`] waits for writes in flight.
const FINISH: Duration = Duration::from_secs(10);

/// An open project, as one caller sees it. Cheap to clone.
///
/// A project that was just opened acts as TrustStream itself: no policy applies. [`as_role`],
/// [`as_user`] and [`with`] give the same project for another caller.
///
/// [`as_role`]: TrustStream::as_role
/// [`as_user`]: TrustStream::as_user
/// [`with`]: TrustStream::with
#[derive(Clone)]
pub struct TrustStream {
    runtime: Arc<Runtime>,
    database: Database,
    schema: Arc<str>,
}

impl TrustStream {
    /// Opens the project of a `truststream.toml`, or of a folder that may hold one.
    ///
    /// # Errors
    /// `BACKEND_002` for a configuration that is wrong, `BACKEND_005` when the backend that serves
    /// can't be reached.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(open::configuration(path.as_ref())?).await
    }

    /// Opens a folder with the embedded database and no configuration at all.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> truststream::Result<()> {
    /// # let folder = tempfile::tempdir().expect("a temporary folder");
    /// # let folder = folder.path();
    /// use truststream::TrustStream;
    ///
    /// let db = TrustStream::embedded(folder).await?;
    /// db.migrate("1_tracks.sql", "create table tracks (id int primary key, title text not null)").await?;
    /// db.from("tracks").insert(&serde_json::json!({ "id": 7, "title": "So What" })).await?;
    /// assert_eq!(db.from("tracks").select("title").eq("id", 7).count().await?, 1);
    /// # db.close().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the folder can't be used.
    pub async fn embedded(folder: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(open::embedded(folder.as_ref())?).await
    }

    /// Opens a project that lives in memory only: database, users and files are gone with it. For
    /// tests; together with [`TrustStream::faults`], for tests of what an application does when its
    /// backend fails.
    ///
    /// # Errors
    /// None in practice; the signature is that of every way to open a project.
    pub async fn in_memory() -> Result<Self> {
        Ok(Self::over(Runtime::open_in_memory(open::in_memory()?).await?))
    }

    /// Opens a project by a configuration that was read or made before.
    ///
    /// # Errors
    /// As [`TrustStream::open`].
    pub async fn open_with(config: Config) -> Result<Self> {
        Ok(Self::over(Runtime::open(config).await?))
    }

    /// A project that is open already, for instance because a gateway serves it as well.
    pub fn over(runtime: Arc<Runtime>) -> Self {
        let database = Outside::around(runtime.database());
        TrustStream { runtime, database, schema: Arc::from("public") }
    }

    /// The same project for another caller.
    #[must_use]
    pub fn with(&self, context: Context) -> Self {
        TrustStream {
            runtime: Arc::clone(&self.runtime),
            database: self.database.with(context),
            schema: Arc::clone(&self.schema),
        }
    }

    /// The same project for a role: `anon`, `authenticated`, `service_role`.
    #[must_use]
    pub fn as_role(&self, role: &str) -> Self {
        self.with(Context::role(role))
    }

    /// The same project for a user who signed in; the session's token is verified.
    ///
    /// # Errors
    /// `Unauthenticated` when the token has expired or is not one of this project.
    pub async fn as_user(&self, session: &Session) -> Result<Self> {
        self.as_bearer(&session.access_token).await
    }

    /// The same project for the bearer of an access token.
    ///
    /// # Errors
    /// As [`TrustStream::as_user`].
    pub async fn as_bearer(&self, token: &str) -> Result<Self> {
        let identity = self.runtime.auth().send(Authenticate { token: token.to_owned() }).await?;
        Ok(self.with(Context::of(identity)))
    }

    /// The same project with another schema than `public`.
    #[must_use]
    pub fn schema(&self, schema: &str) -> Self {
        TrustStream { schema: Arc::from(schema), ..self.clone() }
    }

    /// Who is asking.
    pub fn context(&self) -> &Context {
        self.database.context()
    }

    /// A table or view.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// # #[derive(serde::Deserialize)] struct Artist { name: String }
    /// # #[derive(serde::Deserialize)] struct Track { title: String, artist: Option<Artist> }
    /// let tracks = db
    ///     .from("tracks")
    ///     .select("title, artist(name)")
    ///     .eq("artist.name", "Miles Davis")
    ///     .order("title")
    ///     .fetch::<Track>()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from<'c>(&'c self, table: &str) -> Table<'c> {
        Table::new(&self.database, self.name(table))
    }

    /// A function of the database, called with an object of its parameters.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// let total: i64 = db.rpc("add", &serde_json::json!({ "a": 1, "b": 2 })).value().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn rpc<'c>(&'c self, function: &str, arguments: &(impl Serialize + ?Sized)) -> Call<'c> {
        Call::new_call(&self.database, self.name(function), arguments)
    }

    /// Several requests in one call and one transaction: all of them or none.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// use serde_json::json;
    ///
    /// let replies = db
    ///     .atomic()
    ///     .add(db.from("stock").update(&json!({ "reserved": true })).eq("id", 7).is("reserved", false))
    ///     .expect(1)
    ///     .add_returning(db.from("orders").insert(&json!({ "stock_id": 7 })))
    ///     .await?;
    /// let orders: Vec<serde_json::Value> = replies.decode(2)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn atomic(&self) -> Atomic<'_> {
        Atomic::new(&self.database)
    }

    /// A transaction of several requests, run again as a whole when another one won.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// # #[derive(serde::Deserialize)] struct Account { balance: i64 }
    /// let left = db
    ///     .transaction(|tx| async move {
    ///         let account: Account = tx.from("accounts").select("balance").eq("id", 1).single().await?;
    ///         let left = account.balance - 10;
    ///         tx.from("accounts").update(&serde_json::json!({ "balance": left })).eq("id", 1).await?;
    ///         Ok(left)
    ///     })
    ///     .isolation(truststream::Isolation::Serializable)
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn transaction<F, B, T>(&self, body: F) -> Transaction<'_, F>
    where
        F: FnMut(Tx) -> B + Send,
        B: Future<Output = Result<T>> + Send,
        T: Send,
    {
        Transaction::new(&self.database, Arc::clone(&self.schema), body)
    }

    /// A statement in the database's own SQL, for TrustStream itself and the service role only.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// # #[derive(serde::Deserialize)] struct Sum { total: i64 }
    /// let sums: Vec<Sum> =
    ///     db.raw("select sum(seconds) as total from tracks where seconds > $1").bind(60).fetch().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn raw<'c>(&'c self, sql: &str) -> RawQuery<'c> {
        RawQuery::new(&self.database, sql)
    }

    /// Rows of a file into a table, as a stream.
    ///
    /// ```no_run
    /// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
    /// use truststream::transfer::RowFormat;
    ///
    /// let file = tokio::fs::File::open("tracks.csv").await.map_err(|error| truststream::Error::invalid_input(error.to_string()))?;
    /// let done = db.import("tracks", RowFormat::Csv).atomic().read(file).await?;
    /// println!("{} rows", done.written);
    /// # Ok(())
    /// # }
    /// ```
    pub fn import<'c>(&'c self, table: &str, format: RowFormat) -> Import<'c> {
        Import::new(&self.database, self.name(table), format)
    }

    /// The same project, its next write under a key: sent again with the key, it is not done again
    /// but answered as before.
    #[must_use]
    pub fn idempotent(&self, key: &str) -> Self {
        self.with(Context { idempotency_key: Some(Arc::from(key)), ..self.context().clone() })
    }

    fn name(&self, name: &str) -> TableName {
        TableName::new(&*self.schema, name)
    }

    /// Applies `migrations/*.sql` and `seed.sql` of a folder (or of its `supabase/`), each once.
    ///
    /// # Errors
    /// `BACKEND_003` naming file and line.
    pub async fn apply_migrations(&self, folder: impl AsRef<Path>) -> Result<Migrated> {
        ProjectFiles::find(folder.as_ref())?.apply(self.runtime.database()).await
    }

    /// Applies one migration once, under a name that decides the order.
    ///
    /// # Errors
    /// `BACKEND_003` with line and cause; nothing is applied then.
    pub async fn migrate(&self, name: &str, sql: &str) -> Result<MigrationOutcome> {
        let migrate = Migrate { name: name.to_owned(), sql: sql.to_owned(), dry_run: false };
        self.runtime.database().send(migrate).await
    }

    /// The tables, columns, relations and policies there are.
    ///
    /// # Errors
    /// When the backend does not answer.
    pub async fn catalog(&self) -> Result<Arc<Catalog>> {
        self.runtime.database().send(Describe { fresh: false }).await
    }

    /// Users and sessions.
    pub fn auth(&self) -> Auth {
        Auth::new(self.runtime.auth().with(self.context().clone()))
    }

    /// Buckets and files.
    pub fn storage(&self) -> Storage {
        Storage::new(self.runtime.storage().with(self.context().clone()))
    }

    /// Changes of rows, and messages.
    pub fn realtime(&self) -> Realtime {
        let realtime = self.runtime.realtime().with(self.context().clone());
        Realtime::new(realtime, Arc::clone(&self.schema))
    }

    /// Moving to another backend while everything runs. It stands above all policies.
    pub fn switch(&self) -> Switch<'_> {
        Switch::new(&self.runtime)
    }

    /// What becomes of a backend that is lost.
    pub fn failovers(&self) -> Failovers<'_> {
        Failovers::new(&self.runtime)
    }

    /// What goes wrong on purpose: latency, errors, lost connections, as faults are added and removed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> truststream::Result<()> {
    /// use truststream::{ErrorKind, Fault, TrustStream};
    ///
    /// let db = TrustStream::in_memory().await?;
    /// db.migrate("1_tracks.sql", "create table tracks (id int primary key)").await?;
    /// let fault = db.faults().add(Fault::error(ErrorKind::Constraint).on("insert"));
    /// let refused = db.from("tracks").insert(&serde_json::json!({ "id": 7 })).await;
    /// assert_eq!(refused.map(drop).unwrap_err().kind(), ErrorKind::Constraint);
    /// assert_eq!(db.faults().remove(fault), Some(1));
    /// db.from("tracks").insert(&serde_json::json!({ "id": 7 })).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn faults(&self) -> &Faults {
        self.runtime.faults()
    }

    /// The typed operations below the builders, for this caller.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What runs the project.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// Waits for the writes in flight, ends subscriptions and stops what runs in the background. Once all its
    /// clients are dropped as well, the project can be opened again.
    pub async fn close(&self) {
        self.runtime.close(FINISH).await;
    }
}
