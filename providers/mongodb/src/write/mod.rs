//! Writes: each within one transaction.

mod body;
mod delete;
mod divided;
mod fault;
mod fired;
mod insert;
mod instead;
mod keys;
mod put;
mod rules;
mod there;
mod through;
mod update;

use bytes::Bytes;
use mongodb::bson::raw::RawDocumentBuf;
use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, ErrorKind, Result, Retry};
use truststream_services::database::{
    Batch, Format, Isolation, Page, PolicyCommand, Query, Returning, Step, Table, TableKind, TableName,
    WriteOptions,
};

use crate::error::unreadable;
use crate::judge::is_needed;
use crate::plan::{Place, Planner, Source};
use crate::render::Renderer;
use crate::work::Work;
use crate::zone;

pub(crate) use body::Rows;
use fault::explain;
pub(crate) use rules::Defaults;
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
/// PGRST124 if they are too many, PGRST116 if one was wanted and there are none or many.
fn counted(rows: u64, options: &WriteOptions) -> Result<Page> {
    options.transaction.check_affected(rows)?;
    options.format.check_rows(rows)?;
    Ok(Page { rows, total: options.count.map(|_| rows), ..Page::default() })
}

/// The names under which stages show columns as they are stored, and the columns' fields; `None` for stages
/// that do anything else.
fn columns_of<'d>(stages: &'d [Document]) -> Option<Vec<(&'d str, &'d str)>> {
    let [only] = stages else { return None };
    let shown = only.get_document("$project").ok()?;
    let column = |(key, shown): (&'d String, &'d Bson)| {
        let field = shown.as_str()?.strip_prefix('$')?;
        (!field.contains(['$', '.'])).then_some((key.as_str(), field))
    };
    shown.iter().filter(|(key, _)| *key != "_id").map(column).collect()
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
            Step::Select(select) => zone::within(&select.transaction, self.select(select)).await,
            Step::Insert(insert) => zone::within(&insert.options.transaction, self.insert(insert)).await,
            Step::Update(update) => zone::within(&update.options.transaction, self.update(update)).await,
            Step::Delete(delete) => zone::within(&delete.options.transaction, self.delete(delete)).await,
            Step::Invoke(invoke) => zone::within(&invoke.transaction, self.invoke(invoke)).await,
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
        (command, returned): (PolicyCommand, bool),
    ) -> Result<Vec<Document>> {
        let plan = self.planner(&self.schema).targets(name, query, (command, returned))?;
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
        written: &[&Document],
        options: &WriteOptions,
    ) -> Result<Page> {
        let mut page = counted(written.len() as u64, options)?;
        if options.returning == Returning::Representation {
            let shown = Query { filter: None, limit: None, offset: 0, ..query.clone() };
            if let Some((body, rows)) = self.shown_as_they_are(name, &shown, written, &options.format)? {
                return Ok(Page { body, rows, ..page });
            }
            self.judge(name, &shown, None).await?;
            let keys: Vec<Bson> = written.iter().map(|row| key_of(row)).collect();
            let source = Source::Rows(&keys);
            // What embeds demand leaves rows out of the reply that were written all the same.
            (page.body, page.rows) = self.rendered(name, &shown, &source, &options.format).await?;
        }
        Ok(page)
    }

    /// Rows of a table of which columns are wanted and nothing else: those at hand, without asking for them.
    fn shown_as_they_are(
        &self,
        name: &TableName,
        query: &Query,
        rows: &[&Document],
        format: &Format,
    ) -> Result<Option<(Bytes, u64)>> {
        let schema = &self.schema;
        if schema.table(name)?.kind != TableKind::Table || is_needed(query) {
            return Ok(None);
        }
        let level = self.planner(schema).level(&Place::of(name), query)?;
        let Some(fields) = columns_of(&level.stages) else { return Ok(None) };
        let mut renderer = Renderer::new(&schema.catalog, &level.shape, format)?;
        for row in rows {
            let part = |(key, field): &(&str, &str)| {
                ((*key).to_owned(), row.get(field).cloned().unwrap_or(Bson::Null))
            };
            let shown: Document = fields.iter().map(part).collect();
            renderer.push(&RawDocumentBuf::try_from(shown).map_err(unreadable)?)?;
        }
        renderer.finish().map(Some)
    }
}
