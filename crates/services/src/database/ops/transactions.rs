//! Transactions that stay open over several requests.

use std::fmt;

use serde::{Deserialize, Serialize};
use truststream_kernel::{BoxFuture, Context, Effect, Error, ErrorKind, FeatureSet, Requires, Result, Retry};

use super::{Page, Step};
use crate::database::DatabaseFeature;

/// What a transaction sees of others that write at the same moment. An engine may give more than
/// was asked for: SQLite's are always serializable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Each step sees what was committed before it.
    ReadCommitted,
    /// All steps see what was committed before the first.
    RepeatableRead,
    /// As if no other transaction ran at the same moment.
    Serializable,
}

impl Isolation {
    /// The level as SQL has it.
    pub fn sql(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        }
    }
}

/// Begins a transaction. It may last until the deadline of the context it is begun with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Begin {
    /// What it sees of others; the engine's default if absent.
    pub isolation: Option<Isolation>,
    /// It can't write, and is then not held back by a switch.
    pub read_only: bool,
}

impl Requires for Begin {
    fn needs(&self) -> FeatureSet {
        let needs = FeatureSet::of(&[DatabaseFeature::Transactions]);
        if self.read_only { needs.with(DatabaseFeature::Snapshots) } else { needs }
    }

    fn effect(&self) -> Option<Effect> {
        self.read_only.then_some(Effect::Read)
    }
}

/// What a provider keeps of an open transaction. Dropped, nothing of it stays.
pub trait Session: Send + 'static {
    /// Runs a step for the caller of `cx`. A provider is never asked for [`Step::Expect`], nor for
    /// anything after a step that failed.
    fn step<'a>(&'a mut self, cx: &'a Context, step: &'a Step) -> BoxFuture<'a, Result<Page>>;

    /// Commits, or undoes all. When a commit returns, it is durable.
    fn end(self: Box<Self>, keep: bool) -> BoxFuture<'static, Result<()>>;
}

/// An open transaction, the same on every engine: after a step that failed, nothing but its end is
/// possible. Dropped without one, nothing of it stays.
pub struct OpenTransaction {
    session: Box<dyn Session>,
    failed: bool,
    touched: u64,
    held: Option<Box<dyn Send + Sync>>,
}

impl OpenTransaction {
    /// A transaction that was just begun.
    pub fn new(session: impl Session) -> Self {
        OpenTransaction { session: Box::new(session), failed: false, touched: 0, held: None }
    }

    /// Keeps something until the transaction is over.
    pub fn hold(&mut self, until_over: impl Send + Sync + 'static) {
        self.held = Some(Box::new(until_over));
    }

    /// The same transaction, its steps done in another way.
    #[must_use]
    pub fn wrap(self, wrap: impl FnOnce(Box<dyn Session>) -> Box<dyn Session>) -> Self {
        OpenTransaction { session: wrap(self.session), ..self }
    }

    /// Runs a step. [`Step::Expect`] has no page.
    ///
    /// # Errors
    /// What the step reports; 25P02 after a step that failed.
    pub async fn step(&mut self, cx: &Context, step: &Step) -> Result<Option<Page>> {
        if self.failed {
            return Err(aborted());
        }
        // Also when this future is dropped half-way.
        self.failed = true;
        let page = match step {
            Step::Expect(rows) => expected(*rows, self.touched).map(|()| None)?,
            step => Some(self.session.step(cx, step).await?),
        };
        self.failed = false;
        self.touched = page.as_ref().map_or(self.touched, |page| page.rows);
        Ok(page)
    }

    /// Runs all steps of a batch.
    ///
    /// # Errors
    /// That of the first step that fails, with its index.
    pub async fn steps(&mut self, cx: &Context, steps: &[Step]) -> Result<Vec<Page>> {
        let mut pages = Vec::with_capacity(steps.len());
        for (index, step) in steps.iter().enumerate() {
            pages.extend(self.step(cx, step).await.map_err(|error| error.at_step(index))?);
        }
        Ok(pages)
    }

    /// Makes it durable.
    ///
    /// # Errors
    /// `Conflict` when another transaction won; 25P02, and nothing stays, after a step that failed.
    pub async fn commit(self) -> Result<()> {
        let OpenTransaction { session, failed, held, .. } = self;
        let ended = session.end(!failed).await;
        drop(held);
        if failed { ended.and(Err(aborted())) } else { ended }
    }

    /// Undoes all.
    ///
    /// # Errors
    /// When the connection was lost; nothing stays all the same.
    pub async fn rollback(self) -> Result<()> {
        let OpenTransaction { session, held, .. } = self;
        let ended = session.end(false).await;
        drop(held);
        ended
    }
}

impl fmt::Debug for OpenTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTransaction").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// Checks [`Step::Expect`].
///
/// # Errors
/// `Conflict` (40001) that is not worth repeating: whoever compared must look again first.
pub fn expected(rows: u64, touched: u64) -> Result<()> {
    if touched == rows {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "40001", "the rows this batch is about were changed meanwhile")
        .with_details(format!("{rows} rows were expected, {touched} were touched"))
        .with_retry(Retry::Never))
}

fn aborted() -> Error {
    let message = "current transaction is aborted, commands ignored until end of transaction block";
    Error::new(ErrorKind::InvalidInput, "25P02", message)
}
