//! Moving the bytes that rows of `storage.objects` speak of.
//!
//! Every upload writes a new object under a key that contains its version and is never written
//! again, so an object that is there with the right size needs no second copy.

mod checksum;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::Value as Json;
use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Change, TableName};
use truststream_services::objects::{Get, Head, Put, Remove};
use truststream_services::storage::object_key;

pub(crate) use self::checksum::{Checksum, checksum};
use crate::chunks::Chunks;
use crate::signal::Signal;
use crate::{Options, Side};

/// Objects that are copied, or compared, at the same time: more than one, since each waits for the disk or
/// for the network most of the time, and few, since the application waits for the same.
pub(crate) const AT_ONCE: usize = 4;

/// Rows of objects that are read at once: after so many objects, work rests as long as it has to.
const ROWS: usize = 100;

/// Copies objects from one side's store to the other's.
pub(crate) struct ObjectMover {
    source: Side,
    target: Side,
    count: u64,
    bytes: u64,
}

impl ObjectMover {
    pub(crate) fn new(source: Side, target: Side) -> Self {
        ObjectMover { source, target, count: 0, bytes: 0 }
    }

    /// Objects copied and their bytes since this was asked last.
    pub(crate) fn take_moved(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.count), std::mem::take(&mut self.bytes))
    }

    /// Copies the objects of all rows, whose key this is; `moved` is told after each how many it were, and
    /// how many bytes.
    pub(crate) async fn move_all(
        &mut self,
        key: &[String],
        (options, signal): (&Options, &Signal),
        moved: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<()> {
        if shares_objects(&self.source, &self.target) {
            return Ok(());
        }
        let mut chunks = chunks(&self.source, key, options, signal);
        while let Some(chunk) = chunks.next().await? {
            let told = |count, bytes| {
                moved(count, bytes);
                signal.check()
            };
            self.copy_all(chunk.rows, &told).await?;
        }
        Ok(())
    }

    /// Copies what rows that are about to be applied speak of.
    pub(crate) async fn before(&mut self, changes: &[Change]) -> Result<()> {
        if shares_objects(&self.source, &self.target) {
            return Ok(());
        }
        let of_objects = changes.iter().filter(|change| change.table == objects_table());
        let rows = of_objects.filter_map(|change| change.new.clone()).collect();
        self.copy_all(rows, &|_, _| Ok(())).await
    }

    /// Copies the objects of some rows, as long as `told`, which hears how many it were so far, has nothing
    /// against it.
    async fn copy_all(
        &mut self,
        rows: Vec<Row>,
        told: &(dyn Fn(u64, u64) -> Result<()> + Sync),
    ) -> Result<()> {
        let (source, target) = (self.source.clone(), self.target.clone());
        let copies = rows.into_iter().filter_map(|row| key_of(&row)).map(|key| bring(&source, &target, key));
        let mut copies = stream::iter(copies).buffer_unordered(AT_ONCE);
        while let Some(copied) = copies.try_next().await? {
            if let Some(bytes) = copied {
                self.count += 1;
                self.bytes += bytes;
            }
            told(self.count, self.bytes)?;
        }
        Ok(())
    }

    /// Keys that no row speaks of any more once the changes are applied.
    pub(crate) fn obsolete(&self, changes: &[Change]) -> Vec<String> {
        if shares_objects(&self.source, &self.target) {
            return Vec::new();
        }
        changes
            .iter()
            .filter(|change| change.table == objects_table())
            .filter_map(|change| {
                let old = key_of(change.old.as_ref()?)?;
                (change.new.as_ref().and_then(key_of).as_ref() != Some(&old)).then_some(old)
            })
            .collect()
    }

    /// Removes objects from the target.
    pub(crate) async fn remove(&self, keys: Vec<String>) -> Result<()> {
        for key in keys {
            self.target.objects.send(Remove { key }).await?;
        }
        Ok(())
    }
}

/// Whether both sides keep their objects in one store.
pub(crate) fn shares_objects(source: &Side, target: &Side) -> bool {
    source.objects_place == target.objects_place
}

/// The rows of objects, in portions that do not keep work from resting.
pub(crate) fn chunks(side: &Side, key: &[String], options: &Options, signal: &Signal) -> Chunks {
    let options = Options { chunk: options.chunk.min(ROWS), ..options.clone() };
    Chunks::all(side, &objects_table(), key, &options, signal)
}

/// Copies an object that is not there yet; returns how many bytes were copied, if any.
async fn bring(source: &Side, target: &Side, key: String) -> Result<Option<u64>> {
    let size = match source.objects.send(Head { key: key.clone() }).await {
        Ok(stored) => stored.size,
        // Removed since the row was read: the change that says so follows.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match target.objects.send(Head { key: key.clone() }).await {
        Ok(stored) if stored.size == size => return Ok(None),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    copy(source, target, key).await
}

/// Copies an object, whatever is there; returns how many bytes it has, or `None` if it is gone.
///
/// # Errors
/// `Unavailable` when the target kept another number of bytes than the source has.
pub(crate) async fn copy(source: &Side, target: &Side, key: String) -> Result<Option<u64>> {
    let body = match source.objects.send(Get { key: key.clone(), range: None }).await {
        Ok(body) => body,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let expected = body.length();
    let stored = target.objects.send(Put { key, body }).await?.size;
    match expected.filter(|expected| *expected != stored) {
        None => Ok(Some(stored)),
        Some(expected) => {
            let name = &target.name;
            let message = format!("`{name}` kept {stored} bytes of an object that has {expected}");
            Err(Error::unavailable(message))
        }
    }
}

pub(crate) fn objects_table() -> TableName {
    TableName::new("storage", "objects")
}

/// The bytes that a row says its object has.
pub(crate) fn size_of(row: &Row) -> u64 {
    let Some(Value::Json(metadata)) = row.get("metadata") else { return 0 };
    let metadata: Json = serde_json::from_str(metadata).unwrap_or_default();
    metadata["size"].as_u64().unwrap_or_default()
}

/// The key under which the bytes lie that a row speaks of.
pub(crate) fn key_of(row: &Row) -> Option<String> {
    match row.get("version")? {
        Value::Text(version) => Some(object_key(version)),
        _ => None,
    }
}
