//! Writes: within a savepoint of the writing thread.

mod body;
mod delete;
mod fault;
mod fired;
mod insert;
mod instead;
mod proposed;
mod represented;
mod through;
mod update;

use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{
    Batch, Page, PolicyCommand, Query, Returning, Step, Table, TableKind, TableName, WriteOptions, expected,
};
use truststream_sql::grants::violated;

use crate::access::Access;
use crate::connection::Conn;
use crate::error::convert;
use crate::plan::{self, Purpose, Source};
use crate::read;
use crate::render::{ids, render};
use crate::schema::{Schema, physical};
use crate::session::in_zone;
use crate::writer::Fate;

pub(crate) use body::Rows;
use fault::failing;
pub(crate) use fault::{explain, explain_unseen, outside};

/// One request being written.
pub(crate) struct Write<'a> {
    pub(crate) conn: &'a Conn,
    pub(crate) schema: &'a Schema,
    pub(crate) cx: &'a Context,
}

/// A fate of `Undo` where the request asks for it.
pub(crate) fn fate<T>(done: T, rollback: bool) -> Fate<T> {
    if rollback { Fate::Undo(done) } else { Fate::Keep(done) }
}

impl<'a> Write<'a> {
    /// All steps of a batch, or the error of the first that fails.
    pub(crate) fn batch(&self, batch: &Batch) -> Result<Vec<Page>> {
        let mut pages: Vec<Page> = Vec::with_capacity(batch.steps.len());
        for (index, step) in batch.steps.iter().enumerate() {
            let done = match step {
                Step::Expect(rows) => expected(*rows, pages.last().map_or(0, |page| page.rows)),
                step => self.step(step).map(|page| pages.push(page)),
            };
            done.map_err(|error| error.at_step(index))?;
        }
        Ok(pages)
    }

    /// One step of a batch or of an open transaction.
    pub(crate) fn step(&self, step: &Step) -> Result<Page> {
        match step {
            Step::Select(select) => {
                in_zone(&select.transaction, || read::select(self.conn, self.schema, self.cx, select))
            }
            Step::Insert(insert) => in_zone(&insert.options.transaction, || self.insert(insert)),
            Step::Update(update) => in_zone(&update.options.transaction, || self.update(update)),
            Step::Delete(delete) => in_zone(&delete.options.transaction, || self.delete(delete)),
            Step::Invoke(invoke) => in_zone(&invoke.transaction, || self.invoke(invoke)),
            Step::Raw(raw) => self.raw(raw),
            Step::Expect(_) => Err(Error::internal("what is expected is judged by who runs the steps")),
        }
    }

    /// A table that can be written.
    fn table(&self, name: &TableName) -> Result<&'a Table> {
        let table = self.schema.table(name)?;
        if matches!(table.kind, TableKind::View { .. }) {
            let message = format!("cannot write to view \"{}\"", name.name);
            return Err(Error::new(ErrorKind::Unsupported, "0A000", message));
        }
        Ok(table)
    }

    /// Row ids of the rows that a query matches and a command may touch.
    fn targets(
        &self,
        name: &TableName,
        query: &Query,
        command: PolicyCommand,
        returning: Returning,
    ) -> Result<Vec<i64>> {
        let purpose = Purpose::Targets(command, returning.reads(self.schema.table(name)?));
        ids(self.conn, &plan::statement(self.schema, self.cx, purpose, (name, query), &Source::Table)?)
    }

    /// The page that answers a write of these rows, which are still in the table.
    fn answer(
        &self,
        name: &TableName,
        query: &Query,
        written: &[i64],
        options: &WriteOptions,
    ) -> Result<Page> {
        let mut page = Page { rows: written.len() as u64, ..Page::default() };
        if options.returning == Returning::Representation {
            let source = Source::Rows(written.to_vec());
            let format = &options.format;
            // What inner embeds leave out is written, and neither shown nor counted.
            page = render(self.conn, self.schema, self.cx, (name, query), &source, format)?.page();
        } else {
            self.schema.relations.check(name, query)?;
        }
        let rows = page.rows;
        options.transaction.check_affected(rows)?;
        options.format.check_rows(rows)?;
        page.total = options.count.map(|_| rows);
        Ok(page)
    }

    /// Checks new rows against the policies of a command, under the name that the command calls them by.
    ///
    /// # Errors
    /// 42501 if one does not meet them.
    pub(crate) fn check(
        &self,
        name: &TableName,
        written: &[i64],
        command: PolicyCommand,
        readable: bool,
    ) -> Result<()> {
        let access = Access::of(self.cx).by_columns();
        let part = self.schema.catalog.partition(name);
        let mut conditions = Vec::new();
        conditions.extend(match part {
            Some(part) => access.of_partition(self.schema, part, (command, true))?,
            None => access.check(self.schema, name, command)?,
        });
        if readable {
            conditions.extend(match part {
                Some(part) => access.of_partition(self.schema, part, (PolicyCommand::Select, false))?,
                None => access.using(self.schema, name, PolicyCommand::Select)?,
            });
        }
        if conditions.is_empty() || written.is_empty() {
            return Ok(());
        }
        let table = part.map_or(name, |(table, _)| table);
        if self.meeting(table, written, &conditions.join(" AND "))? == written.len() {
            return Ok(());
        }
        let read = readable.then_some((PolicyCommand::Select, false));
        let asked: Vec<_> = std::iter::once((command, true)).chain(read).collect();
        Err(self.unmet(name, written, &asked))
    }

    /// The error of rows of a table that do not meet policies on them, of existing or new rows: that of the
    /// first row, and of what is asked first of it.
    fn unmet(&self, name: &TableName, rows: &[i64], asked: &[(PolicyCommand, bool)]) -> Error {
        let access = Access::of(self.cx).by_columns();
        let existing = asked.iter().all(|(_, new)| !new);
        let table = self.schema.catalog.partition(name).map_or(name, |(table, _)| table);
        let first = || -> Result<Option<String>> {
            let demands = asked.iter().map(|kind| access.demands(self.schema, name, *kind));
            let demands = demands.collect::<Result<Vec<_>>>()?.concat();
            for row in rows {
                for (policy, condition) in &demands {
                    if self.meeting(table, &[*row], condition)? == 0 {
                        return Ok(policy.clone());
                    }
                }
            }
            Ok(None)
        };
        first().map_or_else(|error| error, |policy| violated(name, policy.as_deref(), existing))
    }

    /// How many of these rows meet a condition.
    fn meeting(&self, name: &TableName, rows: &[i64], condition: &str) -> Result<usize> {
        let sql = format!("SELECT 1 FROM {} WHERE rowid = ?1 AND {condition}", physical(name));
        let mut statement = self.conn.sql.prepare_cached(&sql).map_err(convert)?;
        let mut count = 0;
        for row in rows {
            count += usize::from(statement.exists([row]).map_err(convert)?);
        }
        Ok(count)
    }
}

/// Row ids as SQLite's `json_each` reads them.
fn list(ids: &[i64]) -> Cell {
    Cell::Text(serde_json::to_string(ids).unwrap_or_default())
}
