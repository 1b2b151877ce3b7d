//! Copying the rows that are there, while changes flow.

use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;
use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Apply, Catalog, Count, Packing, Query, Scan, Select, TableName};

use crate::chunks::{Chunk, Chunks, key_values};
use crate::claim::Claim;
use crate::failpoint::Moment;
use crate::objects::{makes_rows, objects_table};
use crate::progress::Meter;
use crate::records::Records;
use crate::signal::Signal;
use crate::verify::named;
use crate::{Copied, Record, Side};

/// How often it is stored how far the copy is.
const STORED: Duration = Duration::from_millis(500);

/// What a copy works with.
pub(crate) struct Copy<'a> {
    pub(crate) source: &'a Side,
    pub(crate) target: &'a Side,
    pub(crate) catalog: &'a Catalog,
    pub(crate) records: &'a Records,
    pub(crate) meter: &'a Meter,
    pub(crate) signal: &'a Signal,
    /// The term under which this process leads.
    pub(crate) term: u64,
}

impl Copy<'_> {
    /// Copies all rows of the record's tables in key order, chunk by chunk, from where it says the
    /// copy stands up to the keys that were greatest when it began. Rows behind those were inserted
    /// since, so that they come with the changes; without such an end a copy that is slower than the
    /// inserts would have none.
    ///
    /// Correct because all copying is done before any change is applied, and changes are applied
    /// from a position before the first chunk: a chunk may be newer than the first changes that
    /// follow it, but the last change of a key always comes last, and it is a whole row. For the
    /// same reason a chunk may be copied twice.
    pub(crate) async fn rows(&self, record: &mut Record) -> Result<()> {
        self.bound(record).await?;
        let claim = Claim::of_copy(self.target, record, self.term).await?;
        let begun = record.copied.as_ref().map(|copied| copied.table.clone());
        let from = record.tables.iter().position(|table| Some(table) == begun.as_ref()).unwrap_or(0);
        self.meter.resume(record.report.rows);
        let tables = record.tables.clone();
        for table in tables.into_iter().skip(from) {
            if table == objects_table() && makes_rows(self.source, self.target) {
                continue;
            }
            if record.copied.as_ref().is_none_or(|copied| copied.table != table) {
                record.copied = Some(Copied { table: table.clone(), after: Vec::new() });
            }
            let copied = self.table(&table, record, &claim).await;
            // Whatever ended it: what is in the target need not be copied again.
            self.records.save(record).await?;
            Moment::Stored.pass();
            copied?;
        }
        self.signal.manners().hurry(false);
        // No chunk comes after the first change, not even one of this process that was held up on its way.
        Claim::of_copy(self.target, record, self.term).await.map(drop)
    }

    /// Sets down how far each table is to be copied.
    async fn bound(&self, record: &mut Record) -> Result<()> {
        if record.bounds.is_some() {
            return Ok(());
        }
        let mut bounds = Vec::new();
        for table in &record.tables {
            let key = Key::of(self.catalog, table)?;
            let scan = Scan { backwards: true, ..Scan::new(table.clone(), None, 1) };
            let greatest = self.source.database.send(scan).await?.rows.pop();
            let until = greatest.map(|row| Key::write(&key_values(key.columns, &row)));
            bounds.extend(until.map(|after| Copied { table: table.clone(), after }));
        }
        record.bounds = Some(bounds);
        self.records.save(record).await
    }

    async fn table(&self, table: &TableName, record: &mut Record, claim: &Claim<'_>) -> Result<()> {
        let key = Key::of(self.catalog, table)?;
        let bound = record.bounds.iter().flatten().find(|bound| bound.table == *table);
        // It was empty.
        let Some(until) = bound.map(|bound| key.read(&bound.after)).transpose()? else { return Ok(()) };
        let after = key.read(record.copied.as_ref().map_or(&[], |copied| &copied.after))?;
        let options = &record.options;
        let within = (after, until);
        let of = (table, key.columns);
        let mut kept = Instant::now();
        if let Some(packing) = self.packing(table).await? {
            let mut chunks = Chunks::<Bytes>::within(self.source, of, within, options, self.signal);
            while let Some(mut chunk) = chunks.next().await? {
                Moment::Sending.pass();
                claim.load(table, &packing, std::mem::take(&mut chunk.rows)).await?;
                self.keep(table, chunk, record, &mut kept).await?;
            }
            return Ok(());
        }
        let mut chunks = Chunks::<Vec<Row>>::within(self.source, of, within, options, self.signal);
        while let Some(mut chunk) = chunks.next().await? {
            Moment::Sending.pass();
            if let Err(error) = claim.put(table, std::mem::take(&mut chunk.rows)).await {
                let from = key.read(record.copied.as_ref().map_or(&[], |copied| &copied.after))?;
                let rows = usize::try_from(chunk.count).unwrap_or(usize::MAX);
                return Err(self.with_row(error, Scan::new(table.clone(), from, rows), &key, claim).await);
            }
            self.keep(table, chunk, record, &mut kept).await?;
        }
        Ok(())
    }

    /// The same error with the row that the target can't hold, if it is for that.
    async fn with_row(&self, error: Error, scan: Scan, key: &Key<'_>, claim: &Claim<'_>) -> Error {
        if !is_of_rows(&error) {
            return error;
        }
        let table = scan.table.clone();
        let Ok(chunk) = self.source.database.send(scan).await else { return error };
        let put = |rows| claim.put(&table, rows).boxed();
        match first_refused(chunk.rows, &put).await {
            Some((row, why)) => of_row(&table, &named(key.columns, &row), &why),
            None => error,
        }
    }

    /// The form in which both sides hand out a table's rows and take them in.
    async fn packing(&self, table: &TableName) -> Result<Option<String>> {
        let packing = || Packing { table: table.clone() };
        let Some(source) = self.source.database.send(packing()).await? else { return Ok(None) };
        let target = self.target.database.send(packing()).await?;
        Ok(target.filter(|target| *target == source))
    }

    /// Sets down that a chunk is in the target.
    async fn keep<T>(
        &self,
        table: &TableName,
        chunk: Chunk<T>,
        record: &mut Record,
        kept: &mut Instant,
    ) -> Result<()> {
        Moment::Chunk.pass();
        record.report.rows += chunk.count;
        record.report.bytes += chunk.bytes;
        self.meter.rows(&table.to_string(), chunk.count);
        self.signal.manners().hurry(self.meter.is_outrun());
        record.copied = Some(Copied { table: table.clone(), after: Key::write(&chunk.last) });
        if kept.elapsed() >= STORED {
            self.records.save(record).await?;
            *kept = Instant::now();
        }
        Ok(())
    }
}

/// A table's primary key, to go on from.
struct Key<'a> {
    columns: &'a [String],
    types: Vec<truststream_kernel::Type>,
}

impl<'a> Key<'a> {
    fn of(catalog: &'a Catalog, name: &TableName) -> Result<Self> {
        let gone = || Error::internal(format!("table {name} is gone since the switch began"));
        let table = catalog.table(name).ok_or_else(gone)?;
        let types = table.primary_key.iter().map(|key| table.column(key).map(|column| column.ty.clone()));
        let types = types.collect::<Option<_>>().ok_or_else(gone)?;
        Ok(Key { columns: &table.primary_key, types })
    }

    fn write(values: &[Value]) -> Vec<String> {
        values.iter().map(|value| value.to_text().unwrap_or_default()).collect()
    }

    fn read(&self, texts: &[String]) -> Result<Option<Vec<Value>>> {
        if texts.len() != self.types.len() {
            return Ok(None);
        }
        let values = self.types.iter().zip(texts).map(|(ty, text)| Value::parse(ty, text));
        values.collect::<Result<_>>().map(Some)
    }
}

/// Whole rows on their way to a table.
pub(crate) fn arriving(origin: &str, table: &TableName, rows: Vec<Row>) -> Apply {
    Apply {
        origin: origin.to_owned(),
        expected: None,
        position: None,
        rows: vec![(table.clone(), rows)],
        changes: Vec::new(),
    }
}

/// Whether it is what rows hold that the target refuses.
pub(crate) fn is_of_rows(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput | ErrorKind::Constraint)
}

/// The first row that is refused, and why; found in few attempts, each with half of what is left.
pub(crate) async fn first_refused<'p>(
    mut rows: Vec<Row>,
    put: &'p (dyn Fn(Vec<Row>) -> BoxFuture<'p, Result<()>> + Sync),
) -> Option<(Row, Error)> {
    while rows.len() > 1 {
        let later = rows.split_off(rows.len() / 2);
        match put(rows.clone()).await {
            Ok(()) => rows = later,
            Err(error) if is_of_rows(&error) => {}
            Err(_) => return None,
        }
    }
    let row = rows.pop()?;
    let error = put(vec![row.clone()]).await.err().filter(is_of_rows)?;
    Some((row, error))
}

fn of_row(table: &TableName, row: &str, why: &Error) -> Error {
    let message = format!("{} (table {table}, row {row})", why.message());
    Error::new(why.kind(), why.code().to_owned(), message)
        .with_hint("change that row, then start the switch anew; `truststream switch rehearse` tries some of every table")
}

/// Rows of all tables, counted.
pub(crate) async fn count_rows(side: &Side, tables: &[TableName]) -> Result<u64> {
    let mut rows = 0;
    for table in tables {
        let query = Query { limit: Some(0), ..Query::all() };
        let count = Select { count: Some(Count::Exact), ..Select::new(table.clone(), query) };
        rows += side.database.send(count).await?.total.unwrap_or(0);
    }
    Ok(rows)
}
