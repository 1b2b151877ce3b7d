//! Rows of a read into a stream.

use std::time::Duration;

use csv_async::AsyncWriterBuilder;
use indexmap::IndexMap;
use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use truststream_kernel::{Error, FeatureSet, Result};
use truststream_services::database::{Begin, Database, DatabaseFeature, Isolation};

use super::RowFormat;
use crate::decode::decode;
use crate::query::{Request, Rows};
use crate::transaction::stack_of;

/// Rows read at once.
const PAGE: u64 = 1_000;

/// How long an export may take.
const LONGEST: Duration = Duration::from_secs(60 * 60);

type Row = IndexMap<String, Box<RawValue>>;

impl Request<'_, Rows> {
    /// Writes all rows into a stream, and tells how many. They are read page by page in the order asked
    /// for, as of one moment where the database can, so memory does not grow with them. `progress`
    /// is called after each page with the rows written so far.
    ///
    /// # Errors
    /// As [`Request::page`]; when the stream takes no more.
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
        let mut sink = Sink::new(format, sink);
        let (mut cursor, mut rows) = (None, 0);
        loop {
            let page = self.again(&database, cursor.as_deref()).page::<Row>(PAGE).await?;
            for row in &page.rows {
                sink.write(row).await?;
            }
            rows += page.rows.len() as u64;
            progress(rows);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        sink.finish().await?;
        Ok(rows)
    }
}

/// Where rows are written.
enum Sink<W: AsyncWrite + Unpin> {
    Csv { writer: Box<csv_async::AsyncWriter<W>>, headed: bool },
    Ndjson(W),
}

impl<W: AsyncWrite + Unpin + Send> Sink<W> {
    fn new(format: RowFormat, sink: W) -> Self {
        match format {
            RowFormat::Csv => {
                Sink::Csv { writer: Box::new(AsyncWriterBuilder::new().create_writer(sink)), headed: false }
            }
            RowFormat::Ndjson => Sink::Ndjson(sink),
        }
    }

    async fn write(&mut self, row: &Row) -> Result<()> {
        match self {
            Sink::Csv { writer, headed } => {
                if !*headed {
                    writer.write_record(row.keys()).await.map_err(|error| full(error.into()))?;
                    *headed = true;
                }
                let fields = row.values().map(|value| field(value)).collect::<Result<Vec<_>>>()?;
                writer.write_record(fields).await.map_err(|error| full(error.into()))
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

/// A value as a field of a CSV record: texts as they are, null as `NULL`, all else as JSON.
fn field(value: &RawValue) -> Result<String> {
    match value.get() {
        "null" => Ok("NULL".to_owned()),
        text if text.starts_with('"') => decode(text.as_bytes()),
        json => Ok(json.to_owned()),
    }
}

fn full(error: std::io::Error) -> Error {
    Error::invalid_input(format!("the rows can't be written: {error}")).with_source(error)
}
