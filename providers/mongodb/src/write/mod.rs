//! Writes: each within one transaction.

mod body;
mod delete;
mod fault;
mod insert;
mod keys;
mod put;
mod rules;
mod there;
mod through;
mod update;

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, ErrorKind, Result, Retry};
use truststream_services::database::{
    Batch, Isolation, Page, PolicyCommand, Query, Returning, Step, Table, TableName, WriteOptions,
};

use crate::plan::{Planner, Source};
use crate::work::Work;

pub(crate) use body::Rows;
use fault::explain;
pub(crate) use rules::{Defaults, stored};
use through::Through;

/// A table and its name.
pub(crate) type Named<'t> = (&'t TableName, &'t Table);

/// The key of a stored row.
pub(crate) fn key_of(row: &Document) -> Bson {
    row.get("_id").cloned().unwrap_or(Bson::Null)
}

/// Whether the step before touched as many rows as expected.
fn expect(expected: u64, before: Option<&Page>) -> Result<()> {
    let found = before.map_or(0, |page| page.rows);
    if found == expected {
        return Ok(());
    }
    let message = format!("expected {expected} rows, found {found}");
    Err(Error::new(ErrorKind::Conflict, "40001", message).with_retry(Retry::Never))
}

/// The page that says how many rows were written.
///
/// # Errors
/// PGRST124 if they are too many.
fn counted(rows: u64, options: &WriteOptions) -> Result<Page> {
    if let Some(most) = options.transaction.max_affected
        && rows > most
    {
        let message = "Query result exceeds max-affected preference constraint";
        return Err(Error::new(ErrorKind::InvalidInput, "PGRST124", message)
            .with_details(format!("The query affects {rows} rows")));
    }
    Ok(Page { rows, total: options.count.map(|_| rows), ..Page::default() })
}

impl Work {
    /// All steps of a batch, or the error of the first that fails.
    pub(crate) async fn batch(&mut self, batch: &Batch) -> Result<Vec<Page>> {
        if batch.isolation == Some(Isolation::Serializable) {
            self.take_turns().await?;
        }
        let mut pages: Vec<Page> = Vec::with_capacity(batch.steps.len());
        for (index, step) in batch.steps.iter().enumerate() {
            let done = match step {
                Step::Expect(expected) => expect(*expected, pages.last()),
                step => self.step(step).await.map(|page| pages.push(page)),
            };
            done.map_err(|error| error.at_step(index))?;
        }
        Ok(pages)
    }

    pub(crate) async fn step(&mut self, step: &Step) -> Result<Page> {
        match step {
            Step::Select(select) => self.select(select).await,
            Step::Insert(insert) => self.insert(insert).await,
            Step::Update(update) => self.update(update).await,
            Step::Delete(delete) => self.delete(delete).await,
            Step::Invoke(invoke) => self.invoke(invoke).await,
            Step::Raw(_) => Err(Error::unsupported("this database has no SQL")),
            Step::Expect(_) => Err(Error::internal("what is expected is judged by who runs the steps")),
        }
    }

    /// The stored rows that a query matches and a command may touch.
    async fn targets(
        &mut self,
        name: &TableName,
        through: &Through<'_>,
        query: &Query,
        command: PolicyCommand,
    ) -> Result<Vec<Document>> {
        let plan = Planner::new(&self.schema, &self.cx).owned(self.owner).targets(name, query, command)?;
        let found = self.documents(plan).await?;
        if !through.is_view() {
            return Ok(found);
        }
        let ids: Vec<Bson> = found.iter().map(key_of).collect();
        let owner = self.owner || through.is_owned();
        let plan =
            Planner::new(&self.schema, &self.cx).owned(owner).picked(through.named.0, &ids, command)?;
        self.documents(plan).await
    }

    /// The page that answers a write of these rows, which are still in the table.
    async fn answer(
        &mut self,
        name: &TableName,
        query: &Query,
        written: &[Bson],
        options: &WriteOptions,
    ) -> Result<Page> {
        let mut page = counted(written.len() as u64, options)?;
        if options.returning == Returning::Representation {
            let source = Source::Rows(written);
            (page.body, _) = self.rendered(name, query, &source, &options.format).await?;
        }
        Ok(page)
    }
}
