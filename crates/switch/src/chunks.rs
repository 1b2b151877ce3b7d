//! A table read chunk by chunk, the next of which is on its way while one is worked on.

use tokio::task::JoinHandle;
use tokio::time::Instant;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Scan, TableName};

use crate::pace::Pace;
use crate::signal::Signal;
use crate::{Options, Side};

/// Bytes of a chunk, about: two are in memory at once, however wide the rows are.
const BYTES: u64 = 4 << 20;

/// Rows of the first chunk, which tells how wide they are.
const FIRST: usize = 500;

/// Some rows that follow one another.
pub(crate) struct Chunk {
    pub(crate) rows: Vec<Row>,
    /// Bytes of them in their canonical form.
    pub(crate) bytes: u64,
    /// Key of the last row.
    pub(crate) last: Vec<Value>,
}

/// The chunks of a table, in key order.
pub(crate) struct Chunks {
    side: Side,
    signal: Signal,
    table: TableName,
    key: Vec<String>,
    /// Nothing behind this key is read.
    until: Option<Vec<Value>>,
    most: usize,
    reading: Option<JoinHandle<Result<Read>>>,
}

/// A chunk, and how many rows were asked for.
struct Read {
    chunk: Option<Chunk>,
    asked: usize,
    pace: Pace,
}

impl Chunks {
    /// Of a whole table.
    pub(crate) fn all(
        side: &Side,
        table: &TableName,
        key: &[String],
        options: &Options,
        signal: &Signal,
    ) -> Self {
        Chunks::within(side, (table, key), (None, None), options, signal)
    }

    /// Of the rows between two keys, without the first of them.
    pub(crate) fn within(
        side: &Side,
        (table, key): (&TableName, &[String]),
        (after, until): (Option<Vec<Value>>, Option<Vec<Value>>),
        options: &Options,
        signal: &Signal,
    ) -> Self {
        let mut chunks = Chunks {
            side: side.clone(),
            signal: signal.clone(),
            table: table.clone(),
            key: key.to_vec(),
            until,
            most: options.chunk.max(1),
            reading: None,
        };
        chunks.begin(after, FIRST, Pace::new(options));
        chunks
    }

    /// The next chunk; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>> {
        self.signal.check()?;
        let Some(reading) = &mut self.reading else { return Ok(None) };
        let read = reading.await;
        self.reading = None;
        let Read { chunk, asked, pace } =
            read.map_err(|error| Error::internal("a chunk was not read").with_source(error))??;
        if let Some(chunk) = chunk.as_ref().filter(|chunk| chunk.rows.len() == asked) {
            let each = (chunk.bytes / asked as u64).max(1);
            let fit = usize::try_from(BYTES / each).unwrap_or(usize::MAX);
            self.begin(Some(chunk.last.clone()), fit, pace);
        }
        Ok(chunk)
    }

    fn begin(&mut self, after: Option<Vec<Value>>, limit: usize, mut pace: Pace) {
        let asked = limit.clamp(1, self.most);
        let scan = Scan { until: self.until.clone(), ..Scan::new(self.table.clone(), after, asked) };
        let (side, key, signal) = (self.side.clone(), self.key.clone(), self.signal.clone());
        self.reading = Some(tokio::spawn(async move {
            pace.wait(&side, &signal).await?;
            let began = Instant::now();
            let rows = side.database.send(scan).await?.rows;
            pace.took(began.elapsed());
            Ok(Read { chunk: measured(rows, &key), asked, pace })
        }));
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

fn measured(rows: Vec<Row>, key: &[String]) -> Option<Chunk> {
    let last = key_values(key, rows.last()?);
    let mut buffer = Vec::new();
    let bytes = rows.iter().map(|row| size_within(&mut buffer, row)).sum();
    Some(Chunk { rows, bytes, last })
}

fn size_within(buffer: &mut Vec<u8>, row: &Row) -> u64 {
    buffer.clear();
    row.write_canonical(buffer);
    buffer.len() as u64
}

/// Bytes of a row in its canonical form.
pub(crate) fn canonical_size(row: &Row) -> u64 {
    size_within(&mut Vec::new(), row)
}

/// The key of a row, to go on from.
pub(crate) fn key_values(key: &[String], row: &Row) -> Vec<Value> {
    key.iter().map(|column| row.get(column).cloned().unwrap_or(Value::Null)).collect()
}
