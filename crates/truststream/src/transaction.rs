//! Transactions of several requests, and what keeps those outside of one from waiting for it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use truststream_kernel::{
    BoxFuture, Call as KernelCall, Context, Effect, Error, ErrorKind, Features, Operation, Outcome, Result,
    Retry, Stack,
};
use truststream_services::database::{
    Begin, Database, DatabaseOp, DatabaseReply, DatabaseService, Isolation, OpenTransaction, Page, Step,
    TableName,
};

use crate::query::{Call, RawQuery, Table};

/// How long a transaction may last, with all its attempts, unless said otherwise.
const LONGEST: Duration = Duration::from_secs(10);

/// How often it is begun again at most after it lost against another.
const ATTEMPTS: u32 = 20;

tokio::task_local! {
    /// Set while the body of a transaction runs.
    static WITHIN: ();
}

/// A transaction that has not been begun yet; awaiting it runs its body.
///
/// When another transaction won (40001, 40P01, a busy database), the whole body is run again in a new
/// transaction, so it must do nothing that can't be repeated but through its [`Tx`]. If the body fails
/// or does not end in time, or the future is dropped, nothing stays.
#[must_use = "a transaction does nothing until it is awaited"]
pub struct Transaction<'c, F> {
    database: &'c Database,
    schema: Arc<str>,
    begin: Begin,
    time: Duration,
    body: F,
}

impl<'c, F> Transaction<'c, F> {
    pub(crate) fn new(database: &'c Database, schema: Arc<str>, body: F) -> Self {
        Transaction { database, schema, begin: Begin::default(), time: LONGEST, body }
    }

    /// What it sees of others who write at the same moment.
    pub fn isolation(mut self, level: Isolation) -> Self {
        self.begin.isolation = Some(level);
        self
    }

    /// It can't write; it is then not held back by a switch.
    pub fn read_only(mut self) -> Self {
        self.begin.read_only = true;
        self
    }

    /// How long it may last, with all its attempts. A switch waits for it, and on SQLite all other
    /// writes do.
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }
}

impl<'c, F, B, T> IntoFuture for Transaction<'c, F>
where
    F: FnMut(Tx) -> B + Send + 'c,
    B: Future<Output = Result<T>> + Send,
    T: Send,
{
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send + 'c>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            let deadline = Instant::now() + self.time;
            let mut attempt = 1;
            loop {
                let error = match tokio::time::timeout_at(deadline, self.attempt(deadline)).await {
                    Ok(Ok(done)) => return Ok(done),
                    Ok(Err(error)) => error,
                    Err(_) => return Err(too_long(self.time)),
                };
                if !lost(&error) {
                    return Err(error);
                }
                let wait = Duration::from_millis(u64::from(5 * attempt * attempt).min(200));
                if attempt == ATTEMPTS || Instant::now() + wait >= deadline {
                    return Err(error.with_retry(Retry::Exhausted));
                }
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
        })
    }
}

impl<F, B, T> Transaction<'_, F>
where
    F: FnMut(Tx) -> B + Send,
    B: Future<Output = Result<T>> + Send,
    T: Send,
{
    async fn attempt(&mut self, deadline: Instant) -> Result<T> {
        let left = deadline.saturating_duration_since(Instant::now());
        let cx = self.database.context().clone().within(left);
        let open = self.database.with(cx.clone()).send(self.begin).await?;
        let open = Arc::new(Mutex::new(Some(open)));
        let outside = Arc::clone(self.database.stack());
        let steps: Stack<DatabaseService> = Arc::new(Steps { open: Arc::clone(&open), outside });
        let tx = Tx { database: Database::new(steps, cx), schema: Arc::clone(&self.schema) };
        let done = WITHIN.scope((), (self.body)(tx)).await;
        let Some(open) = open.lock().await.take() else { return Err(over()) };
        match done {
            Ok(done) => open.commit().await.map(|()| done),
            Err(error) => {
                // What went wrong first is what the caller must know.
                let _ = open.rollback().await;
                Err(error)
            }
        }
    }
}

/// An open transaction, with the methods of the project it belongs to. Once the body has ended, it
/// answers nothing any more.
#[derive(Clone)]
pub struct Tx {
    database: Database,
    schema: Arc<str>,
}

impl Tx {
    /// A table or view, within the transaction.
    pub fn from<'c>(&'c self, table: &str) -> Table<'c> {
        Table::new(&self.database, self.name(table))
    }

    /// A function of the database, called within the transaction.
    pub fn rpc<'c>(&'c self, function: &str, arguments: &(impl Serialize + ?Sized)) -> Call<'c> {
        Call::new_call(&self.database, self.name(function), arguments)
    }

    /// A statement in the database's own SQL, run within the transaction.
    pub fn raw<'c>(&'c self, sql: &str) -> RawQuery<'c> {
        RawQuery::new(&self.database, sql)
    }

    /// The same transaction for another caller.
    #[must_use]
    pub fn with(&self, context: Context) -> Self {
        Tx { database: self.database.with(context), schema: Arc::clone(&self.schema) }
    }

    fn name(&self, name: &str) -> TableName {
        TableName::new(&*self.schema, name)
    }
}

/// A stack whose requests are steps of an open transaction, which ends undone when it is dropped.
pub(crate) fn stack_of(open: OpenTransaction, outside: &Stack<DatabaseService>) -> Stack<DatabaseService> {
    Arc::new(Steps { open: Arc::new(Mutex::new(Some(open))), outside: Arc::clone(outside) })
}

/// An open transaction as a stack: each request is a step of it.
struct Steps {
    open: Arc<Mutex<Option<OpenTransaction>>>,
    /// What tells of the catalog, which is no part of the transaction.
    outside: Stack<DatabaseService>,
}

impl Steps {
    async fn step(&self, cx: &Context, step: Step) -> Result<Page> {
        let mut open = self.open.lock().await;
        let open = open.as_mut().ok_or_else(over)?;
        open.step(cx, &step).await?.ok_or_else(|| Error::internal("a step has no page"))
    }
}

impl KernelCall<DatabaseService> for Steps {
    fn features(&self) -> Features {
        self.outside.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        Box::pin(async move {
            Ok(match op {
                DatabaseOp::Select(op) => DatabaseReply::Select(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Insert(op) => DatabaseReply::Insert(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Update(op) => DatabaseReply::Update(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Delete(op) => DatabaseReply::Delete(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Invoke(op) => DatabaseReply::Invoke(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Raw(op) => DatabaseReply::Raw(self.step(cx, op.clone().into()).await?),
                DatabaseOp::Describe(_) => self.outside.call(cx, op).await?,
                other => {
                    let name = other.info().name;
                    return Err(Error::unsupported(format!("{name} is no part of a transaction")));
                }
            })
        })
    }
}

/// Refuses what would wait for the very transaction that it is asked for in.
pub(crate) struct Outside {
    inner: Stack<DatabaseService>,
}

impl Outside {
    /// The project's database as those outside of a transaction see it.
    pub(crate) fn around(database: &Database) -> Database {
        let inner = Arc::clone(database.stack());
        Database::new(Arc::new(Outside { inner }), database.context().clone())
    }
}

impl KernelCall<DatabaseService> for Outside {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a DatabaseOp) -> BoxFuture<'a, Result<DatabaseReply>> {
        if op.info().effect != Effect::Read && WITHIN.try_with(|()| ()).is_ok() {
            return Box::pin(std::future::ready(Err(nested(op))));
        }
        self.inner.call(cx, op)
    }
}

fn nested(op: &DatabaseOp) -> Error {
    let message = match op {
        DatabaseOp::Begin(_) => "a transaction can't be begun within another one",
        _ => "a write outside of the transaction that is open here would wait for it forever",
    };
    Error::new(ErrorKind::InvalidInput, "25001", message)
        .with_hint("use the transaction that the body was given")
}

/// Whether another transaction won, and beginning again helps.
fn lost(error: &Error) -> bool {
    let conflict = matches!(error.code(), "40001" | "40P01" | "55P03");
    conflict && error.retry() != Retry::Never && error.outcome() == Outcome::NotApplied
}

fn too_long(time: Duration) -> Error {
    Error::timeout(format!("the transaction took longer than {time:.0?} and was undone"))
        .with_hint("do less in one transaction, or give it more time with `within`")
}

fn over() -> Error {
    Error::new(ErrorKind::InvalidInput, "25P01", "the transaction is over")
}
