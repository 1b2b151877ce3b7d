//! Rows of a read into a stream.

use std::collections::HashSet;
use std::time::Duration;

use csv_async::AsyncWriterBuilder;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use truststream_kernel::{Context, Error, FeatureSet, Result, Type};
use truststream_services::database::{Begin, Database, DatabaseFeature, Describe, Isolation, Item, Table};

use super::{NULL, RowFormat};
use crate::decode::decode;
use crate::query::{Keyset, Request, Rows, go_on};
use crate::transaction::stack_of;

/// Rows read at once.
const PAGE: u64 = 1_000;

/// How long an export may take.
const LONGEST: Duration = Duration::from_secs(60 * 60);

type Row = IndexMap<String, Box<RawValue>>;

impl Request<'_, Rows> {
    /// Writes all rows into a stream, and tells how many. They are read page by page in the order asked
    /// for, as of one moment where the database can, so memory does not grow with them. Where pages
    /// have no row to go on from (no primary key, aggregates, an order by a related row) all are read
    /// at once. `progress` is called after each page with the rows written so far.
    ///
    /// # Errors
    /// As [`Request::fetch`]; when the stream takes no more; for a text that is `NULL`, as CSV.
    pub async fn export(
        mut self,
        format: RowFormat,
        sink: impl AsyncWrite + Unpin + Send,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<u64> {
        self.check()?;
        let features = self.database().stack().features();
        let needs = FeatureSet::of(&[DatabaseFeature::Transactions, DatabaseFeature::Snapshots]);
        let snapshot = match needs.minus(features.supported()).is_empty() {
            true => {
                let cx = self.database().context().clone().within(LONGEST);
                let begin = Begin { isolation: Some(Isolation::RepeatableRead), read_only: true };
                Some(self.database().with(cx).send(begin).await?)
            }
            false => None,
        };
        let database = match snapshot {
            Some(open) => {
                Database::new(stack_of(open, self.database().stack()), self.database().context().clone())
            }
            None => self.database().clone(),
        };
        let catalog = self.database().with(Context::system()).send(Describe::default()).await?;
        let table = catalog.table(&self.target);
        let documents = documents(table, &self.query.items);
        let key = table.map(|table| table.primary_key.as_slice()).unwrap_or_default();
        let paged = go_on(&self.query, key).is_ok();
        let mut sink = Sink::new(format, sink, documents);
        let (mut left, mut cursor, mut rows) = (self.query.limit, None, 0);
        loop {
            let read = self.again(&database, cursor.as_deref());
            let page = match paged {
                true => read.page::<Row>(left.map_or(PAGE, |left| left.min(PAGE))).await?,
                false => Keyset { rows: decode(&read.json().await?)?, next: None },
            };
            for row in &page.rows {
                sink.write(row).await?;
            }
            rows += page.rows.len() as u64;
            progress(rows);
            left = left.map(|left| left.saturating_sub(page.rows.len() as u64));
            // The cursor knows where the first page began.
            self.query.offset = 0;
            cursor = page.next.filter(|_| left != Some(0));
            if cursor.is_none() {
                break;
            }
        }
        sink.finish().await?;
        Ok(rows)
    }
}

/// The columns of a table that are selected as they are and hold documents.
fn documents(table: Option<&Table>, items: &[Item]) -> HashSet<String> {
    let Some(table) = table else { return HashSet::new() };
    let holds = table.columns.iter().filter(|column| matches!(column.ty, Type::Json | Type::Jsonb));
    let selected = |name: &str| {
        items.iter().any(|item| match item {
            Item::All => true,
            Item::Column { field, alias: None, cast: None, aggregate: None } => {
                field.name == name && field.path.is_empty()
            }
            _ => false,
        })
    };
    holds.filter(|column| selected(&column.name)).map(|column| column.name.clone()).collect()
}

/// Where rows are written.
enum Sink<W: AsyncWrite + Unpin> {
    Csv { writer: Box<csv_async::AsyncWriter<W>>, headed: bool, documents: HashSet<String> },
    Ndjson(W),
}

impl<W: AsyncWrite + Unpin + Send> Sink<W> {
    fn new(format: RowFormat, sink: W, documents: HashSet<String>) -> Self {
        match format {
            RowFormat::Csv => {
                let writer = Box::new(AsyncWriterBuilder::new().create_writer(sink));
                Sink::Csv { writer, headed: false, documents }
            }
            RowFormat::Ndjson => Sink::Ndjson(sink),
        }
    }

    async fn write(&mut self, row: &Row) -> Result<()> {
        match self {
            Sink::Csv { writer, headed, documents } => {
                if !*headed {
                    writer.write_record(row.keys()).await.map_err(unwritten)?;
                    *headed = true;
                }
                let fields = row
                    .iter()
                    .map(|(column, value)| field(column, value, documents.contains(column)))
                    .collect::<Result<Vec<_>>>()?;
                writer.write_record(fields).await.map_err(unwritten)
            }
            Sink::Ndjson(sink) => {
                let mut line = serde_json::to_vec(row)
                    .map_err(|error| Error::internal("a row can't be written as JSON").with_source(error))?;
                line.push(b'\n');
                sink.write_all(&line).await.map_err(full)
            }
        }
    }

    async fn finish(self) -> Result<()> {
        match self {
            Sink::Csv { mut writer, .. } => writer.flush().await.map_err(full),
            Sink::Ndjson(mut sink) => sink.flush().await.map_err(full),
        }
    }
}

/// A value as a field of a CSV record: texts as they are, null as `NULL`, documents and all else as JSON.
fn field(column: &str, value: &RawValue, is_document: bool) -> Result<String> {
    match value.get() {
        "null" => Ok(NULL.to_owned()),
        text if text.starts_with('"') && !is_document => match decode::<String>(text.as_bytes())? {
            text if text == NULL => {
                let message = format!("a text in column {column} is `NULL`, which CSV can't tell from null");
                Err(Error::unsupported(message).with_hint("export as NDJSON"))
            }
            text => Ok(text),
        },
        json => Ok(json.to_owned()),
    }
}

fn unwritten(error: csv_async::Error) -> Error {
    match error.into_kind() {
        csv_async::ErrorKind::Io(error) => full(error),
        other => full(std::io::Error::other(format!("{other:?}"))),
    }
}

fn full(error: std::io::Error) -> Error {
    Error::invalid_input(format!("the rows can't be written: {error}")).with_source(error)
}
