//! What all requests share: where, what, and the first thing that was wrong.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Count, Database, Page, Query, Step, TableName, language};

/// A request on a table or function that has not been sent yet. `A` is what it does.
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'c, A> {
    pub(super) database: &'c Database,
    pub(crate) target: TableName,
    pub(crate) query: Query,
    pub(super) action: A,
    wrong: Option<Error>,
}

impl<'c, A> Request<'c, A> {
    pub(super) fn new(database: &'c Database, target: TableName, action: A) -> Self {
        Request { database, target, query: Query::all(), action, wrong: None }
    }

    /// Changes the query, unless something was wrong before.
    pub(super) fn edit(mut self, edit: impl FnOnce(&mut Query) -> Result<()>) -> Self {
        if self.wrong.is_none() {
            self.wrong = edit(&mut self.query).err();
        }
        self
    }

    /// Replaces what to select.
    pub(super) fn selecting(self, items: &str) -> Self {
        self.edit(|query| {
            query.items = language::parse_select(items)?;
            Ok(())
        })
    }

    /// The handle it is sent through.
    pub(crate) fn database(&self) -> &'c Database {
        self.database
    }

    /// Fails with the first thing that was wrong.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.wrong.take().map_or(Ok(()), Err)
    }
}

/// Sends one step as an operation of its own.
pub(super) async fn send_step(database: &Database, step: Step) -> Result<Page> {
    match step {
        Step::Select(op) => database.send(op).await,
        Step::Insert(op) => database.send(op).await,
        Step::Update(op) => database.send(op).await,
        Step::Delete(op) => database.send(op).await,
        Step::Invoke(op) => database.send(op).await,
        Step::Raw(op) => database.send(op).await,
        Step::Expect(_) => Err(Error::internal("nothing is expected of a single request")),
    }
}

/// The total of a page that was asked to count.
pub(super) fn total(page: &Page) -> Result<u64> {
    page.total.ok_or_else(|| Error::internal("a counted request came back without its total"))
}

/// What asks a driver to count.
pub(super) const COUNTED: Option<Count> = Some(Count::Exact);
