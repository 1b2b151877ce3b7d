//! Rows from a stream into a table.

use std::time::Duration;

use tokio::io::AsyncRead;
use truststream_kernel::{Context, Error, Result};
use truststream_services::database::{
    Begin, Database, Describe, Insert, OnConflict, OpenTransaction, Table, TableName,
};

use super::RowFormat;
use super::locate::{at_row, good_rows, placed, unfit};
use super::source::{Source, SourceRow, Target};

/// Rows sent at once.
const CHUNK: usize = 500;

/// How long an atomic import may take.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// A value for a column that the database makes.
const GENERATED: &str = "428C9";

/// An import that has not been started yet.
#[must_use = "an import does nothing until it is given what to read"]
pub struct Import<'c> {
    database: &'c Database,
    table: TableName,
    format: RowFormat,
    atomic: bool,
    skip: u64,
    merge: Option<bool>,
    progress: Box<dyn FnMut(u64) + Send + 'c>,
}

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Rows read, those skipped not counted.
    pub read: u64,
    /// Rows written: fewer than read if existing ones were kept.
    pub written: u64,
}

impl<'c> Import<'c> {
    pub(crate) fn new(database: &'c Database, table: TableName, format: RowFormat) -> Self {
        let progress = Box::new(|_| ());
        Import { database, table, format, atomic: false, skip: 0, merge: None, progress }
    }

    /// All rows or none, in one transaction. Otherwise each chunk of rows is kept as it is written, and
    /// an import that broke off can go on with [`Import::skip`].
    pub fn atomic(mut self) -> Self {
        self.atomic = true;
        self
    }

    /// Leaves out so many rows at the beginning: those an earlier import wrote before it broke off.
    pub fn skip(mut self, rows: u64) -> Self {
        self.skip = rows;
        self
    }

    /// What to do with rows whose primary key exists: replace them (true) or keep them (false).
    /// Otherwise they are an error.
    pub fn existing(mut self, replace: bool) -> Self {
        self.merge = Some(replace);
        self
    }

    /// Called after each chunk with the rows done so far, those skipped included.
    pub fn progress(mut self, progress: impl FnMut(u64) + Send + 'c) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Reads all rows of a stream into the table.
    ///
    /// # Errors
    /// What is wrong with a row, naming its line and column, and with how many rows to go on.
    pub async fn read(mut self, source: impl AsyncRead + Unpin + Send) -> Result<Imported> {
        let catalog = self.database.with(Context::system()).send(Describe::default()).await?;
        let table = catalog.table(&self.table);
        let target = Target { catalog: &catalog, name: &self.table };
        let mut source = Source::open(self.format, source, target).await?;
        for _ in 0..self.skip {
            source.next().await?;
        }
        let mut transaction = match self.atomic {
            true => {
                let cx = self.database.context().clone().within(LONGEST);
                Some(self.database.with(cx).send(Begin::default()).await?)
            }
            false => None,
        };
        let mut done = Imported { read: 0, written: 0 };
        let mut rows = Vec::with_capacity(CHUNK);
        loop {
            let next = match source.next().await {
                Ok(next) => next,
                Err(error) => return Err(self.goes_on(error, done.read)),
            };
            let at_end = next.is_none();
            rows.extend(next);
            if rows.len() == CHUNK || (at_end && !rows.is_empty()) {
                done.written += self.write(&rows, table, &mut transaction, done.read).await?;
                done.read += rows.len() as u64;
                (self.progress)(self.skip + done.read);
                rows.clear();
            }
            if at_end {
                break;
            }
        }
        if let Some(transaction) = transaction {
            transaction.commit().await?;
        }
        Ok(done)
    }

    async fn write(
        &self,
        rows: &[SourceRow],
        table: Option<&Table>,
        transaction: &mut Option<OpenTransaction>,
        before: u64,
    ) -> Result<u64> {
        let written = match transaction {
            Some(open) => open.step(self.database.context(), &self.insert(rows).into()).await,
            None => self.database.send(self.insert(rows)).await.map(Some),
        };
        let error = match written {
            Ok(page) => return Ok(page.map_or(0, |page| page.rows)),
            Err(error) => error,
        };
        // Trying again would wait for the transaction that failed.
        drop(transaction.take());
        if table.is_none() {
            return Err(error);
        }
        let found = good_rows(self.database, rows, |rows| self.insert(rows)).await?;
        // Rows may need those before them, which an atomic import has just taken back.
        let same = |again: &Error| !self.atomic || before == 0 || again.code() == error.code();
        let Some((good, error)) = found.filter(|(_, again)| same(again)) else {
            let of_values = error.code().starts_with("22");
            if let Some(row) = rows.iter().find(|row| of_values && unfit(row, table).is_some()) {
                return Err(self.goes_on(at_row(&error, row, table), before));
            }
            let lines = rows.first().zip(rows.last());
            let place =
                lines.map_or(String::new(), |(first, last)| format!("lines {} to {}", first.line, last.line));
            return Err(self.goes_on(placed(&error, &place), before));
        };
        let error = at_row(&error, &rows[good], table);
        if self.atomic || good == 0 {
            return Err(self.goes_on(error, before));
        }
        self.database.send(self.insert(&rows[..good])).await?;
        Err(self.goes_on(error, before + good as u64))
    }

    fn insert(&self, rows: &[SourceRow]) -> Insert {
        let (document, columns) = SourceRow::document(rows);
        let mut insert = Insert::new(self.table.clone(), document);
        // Where every row has every column nothing is missing, and documents pass as they are.
        insert.missing_default = rows.iter().any(|row| row.cells.len() < columns.len());
        insert.columns = Some(columns);
        insert.on_conflict = self.merge.map(|merge| OnConflict { columns: None, merge });
        insert
    }

    /// Tells how to go on after an error, behind what it says itself.
    fn goes_on(&self, error: Error, read: u64) -> Error {
        let rows = if self.atomic { 0 } else { self.skip + read };
        let kept = match rows {
            0 => "nothing was imported".to_owned(),
            rows => {
                format!("{rows} rows are imported; repeat with {rows} rows skipped once this one is right")
            }
        };
        let said = match error.code() {
            GENERATED => Some("leave out of the file what the database makes itself"),
            _ => error.hint(),
        };
        let hint = said.map_or_else(|| kept.clone(), |said| format!("{kept}; {said}"));
        error.with_hint(hint)
    }
}
