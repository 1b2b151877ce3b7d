//! Writes: each within one transaction.

mod body;
mod delete;
mod fault;
mod insert;
mod keys;
mod put;
mod rules;
mod update;

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, ErrorKind, Result, Retry};
use truststream_services::database::{
    Batch, Page, PolicyCommand, Query, Returning, Step, Table, TableKind, TableName, WriteOptions,
};

use crate::plan::{Planner, Source};
use crate::schema::Schema;
use crate::work::Work;

pub(crate) use body::Rows;
pub(crate) use rules::{Defaults, stored};

/// A table and its name.
pub(crate) type Named<'t> = (&'t TableName, &'t Table);

/// A table that can be written.
///
/// # Errors
/// PGRST205 if there is none, 0A000 for a view.
pub(crate) fn writable<'s>(schema: &'s Schema, name: &TableName) -> Result<&'s Table> {
    let table = schema.table(name)?;
    if matches!(table.kind, TableKind::View { .. }) {
        return Err(Error::unsupported(format!("cannot write to view \"{}\"", name.name)));
    }
    Ok(table)
}

/// The key of a stored row.
pub(crate) fn key_of(row: &Document) -> Bson {
    row.get("_id").cloned().unwrap_or(Bson::Null)
}

impl Work {
    /// All steps of a batch, or the error of the first that fails.
    pub(crate) async fn batch(&mut self, batch: &Batch) -> Result<Vec<Page>> {
        let mut pages: Vec<Page> = Vec::with_capacity(batch.steps.len());
        for step in &batch.steps {
            match step {
                Step::Select(select) => pages.push(self.select(select).await?),
                Step::Insert(insert) => pages.push(self.insert(insert).await?),
                Step::Update(update) => pages.push(self.update(update).await?),
                Step::Delete(delete) => pages.push(self.delete(delete).await?),
                Step::Invoke(_) | Step::Raw(_) => {
                    return Err(Error::unsupported("this database has neither functions nor SQL"));
                }
                Step::Expect(expected) => {
                    let found = pages.last().map_or(0, |page| page.rows);
                    if found != *expected {
                        let message = format!("expected {expected} rows, found {found}");
                        return Err(
                            Error::new(ErrorKind::Conflict, "40001", message).with_retry(Retry::Never)
                        );
                    }
                }
            }
        }
        Ok(pages)
    }

    /// The stored rows that a query matches and a command may touch.
    async fn targets(
        &mut self,
        name: &TableName,
        query: &Query,
        command: PolicyCommand,
    ) -> Result<Vec<Document>> {
        let plan = Planner::new(&self.schema, &self.cx).targets(name, query, command)?;
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
        let rows = written.len() as u64;
        if let Some(most) = options.transaction.max_affected
            && rows > most
        {
            let message = "Query result exceeds max-affected preference constraint";
            return Err(Error::new(ErrorKind::InvalidInput, "PGRST124", message)
                .with_details(format!("The query affects {rows} rows")));
        }
        let mut page = Page { rows, total: options.count.map(|_| rows), ..Page::default() };
        if options.returning == Returning::Representation {
            let source = Source::Rows(written);
            (page.body, _) = self.rendered(name, query, &source, &options.format).await?;
        }
        Ok(page)
    }
}
