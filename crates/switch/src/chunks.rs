//! A table read chunk by chunk, the next of which is on its way while one is worked on.

use bytes::Bytes;
use tokio::task::JoinHandle;
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Scan, TableName, Unload};

use crate::pace::Pace;
use crate::signal::Signal;
use crate::{Options, Side};

/// Bytes of a chunk, about: two are in memory at once, however wide the rows are.
const BYTES: u64 = 4 << 20;

/// Rows of the first chunk, which tells how wide they are.
const FIRST: usize = 500;

/// Most rows of a chunk while the application writes.
const GENTLE: usize = 1_000;

/// Some rows that follow one another.
pub(crate) struct Chunk<T> {
    pub(crate) rows: T,
    pub(crate) count: u64,
    /// Bytes of them, about.
    pub(crate) bytes: u64,
    /// A key that they end at, before all that follow.
    pub(crate) last: Vec<Value>,
    /// Whether any follow.
    more: bool,
}

/// Rows in the form in which a side hands them out.
pub(crate) trait Portion: Sized + Send + 'static {
    /// Reads what a scan asks for; `None` if there is nothing.
    fn read(
        side: Side,
        scan: Scan,
        key: Vec<String>,
    ) -> impl Future<Output = Result<Option<Chunk<Self>>>> + Send;
}

impl Portion for Vec<Row> {
    async fn read(side: Side, scan: Scan, key: Vec<String>) -> Result<Option<Chunk<Self>>> {
        let asked = scan.limit;
        let rows = side.database.send(scan).await?.rows;
        let Some(last) = rows.last().map(|row| key_values(&key, row)) else { return Ok(None) };
        let mut buffer = Vec::new();
        let bytes = rows.iter().map(|row| size_within(&mut buffer, row)).sum();
        let more = rows.len() == asked;
        Ok(Some(Chunk { count: rows.len() as u64, rows, bytes, last, more }))
    }
}

/// In a form of the engine's own.
impl Portion for Bytes {
    async fn read(side: Side, scan: Scan, _key: Vec<String>) -> Result<Option<Chunk<Self>>> {
        let until = scan.until.clone();
        let packed = side.database.send(Unload(scan)).await?;
        if packed.rows == 0 && packed.next.is_none() {
            return Ok(None);
        }
        let (bytes, more) = (packed.bytes.len() as u64, packed.next.is_some());
        let last = packed.next.or(until).unwrap_or_default();
        Ok(Some(Chunk { rows: packed.bytes, count: packed.rows, bytes, last, more }))
    }
}

/// The chunks of a table, in key order.
pub(crate) struct Chunks<T = Vec<Row>> {
    side: Side,
    signal: Signal,
    table: TableName,
    key: Vec<String>,
    /// Nothing behind this key is read.
    until: Option<Vec<Value>>,
    most: usize,
    pace: Pace,
    reading: Option<JoinHandle<Result<Option<Chunk<T>>>>>,
}

impl<T: Portion> Chunks<T> {
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
            pace: Pace::new(options),
            reading: None,
        };
        chunks.begin(after, FIRST);
        chunks
    }

    /// The next chunk; `None` at the end. Whoever asks is done with the one before.
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk<T>>> {
        self.signal.check()?;
        let Some(reading) = &mut self.reading else { return Ok(None) };
        let read = reading.await;
        self.reading = None;
        let chunk = read.map_err(|error| Error::internal("a chunk was not read").with_source(error))??;
        if let Some(chunk) = chunk.as_ref().filter(|chunk| chunk.more) {
            let each = (chunk.bytes / chunk.count.max(1)).max(1);
            let fit = usize::try_from(BYTES / each).unwrap_or(usize::MAX);
            self.pace.rest(&self.side, &self.signal).await?;
            self.begin(Some(chunk.last.clone()), fit);
        }
        Ok(chunk)
    }

    fn begin(&mut self, after: Option<Vec<Value>>, limit: usize) {
        let most = if self.signal.manners().gives_way() { self.most.min(GENTLE) } else { self.most };
        let asked = limit.clamp(1, most);
        let scan = Scan { until: self.until.clone(), ..Scan::new(self.table.clone(), after, asked) };
        self.reading = Some(tokio::spawn(T::read(self.side.clone(), scan, self.key.clone())));
    }
}

impl<T> Drop for Chunks<T> {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
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
