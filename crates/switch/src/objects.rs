//! Moving the bytes that rows of `storage.objects` speak of.
//!
//! Every upload writes a new object under a key that contains its version and is never written
//! again, so an object that is there with the right size needs no second copy.

use truststream_kernel::{ErrorKind, Result, Row, Value};
use truststream_services::database::{Change, Scan, TableName};
use truststream_services::objects::{Get, Head, Put, Remove};
use truststream_services::storage::object_key;

use crate::Side;

/// Copies objects from one side's store to the other's.
pub(crate) struct ObjectMover {
    source: Side,
    target: Side,
    shared: bool,
    count: u64,
    bytes: u64,
}

impl ObjectMover {
    pub(crate) fn new(source: Side, target: Side) -> Self {
        let shared = source.objects_place == target.objects_place;
        ObjectMover { source, target, shared, count: 0, bytes: 0 }
    }

    /// Objects copied and their bytes since this was asked last.
    pub(crate) fn take_moved(&mut self) -> (u64, u64) {
        (std::mem::take(&mut self.count), std::mem::take(&mut self.bytes))
    }

    /// Copies the objects of all rows; `moved` is told after each how many it were.
    pub(crate) async fn move_all(&mut self, moved: &(dyn Fn(u64) + Sync)) -> Result<()> {
        if self.shared {
            return Ok(());
        }
        let mut after = None;
        loop {
            let scan = Scan::new(objects_table(), after.take(), 500);
            let chunk = self.source.database.send(scan).await?;
            for row in &chunk.rows {
                self.copy(row).await?;
                moved(self.count);
            }
            match chunk.rows.last().and_then(|row| row.get("id")) {
                Some(id) if chunk.rows.len() == 500 => after = Some(vec![id.clone()]),
                _ => return Ok(()),
            }
        }
    }

    /// Copies what rows that are about to be applied speak of.
    pub(crate) async fn before(&mut self, changes: &[Change]) -> Result<()> {
        if self.shared {
            return Ok(());
        }
        for row in
            changes.iter().filter(|change| change.table == objects_table()).filter_map(|c| c.new.as_ref())
        {
            self.copy(row).await?;
        }
        Ok(())
    }

    /// Keys that no row speaks of any more once the changes are applied.
    pub(crate) fn obsolete(&self, changes: &[Change]) -> Vec<String> {
        if self.shared {
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

    async fn copy(&mut self, row: &Row) -> Result<()> {
        let Some(key) = key_of(row) else { return Ok(()) };
        let size = match self.source.objects.send(Head { key: key.clone() }).await {
            Ok(stored) => stored.size,
            // Removed since the row was read: the change that says so follows.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        match self.target.objects.send(Head { key: key.clone() }).await {
            Ok(stored) if stored.size == size => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let body = match self.source.objects.send(Get { key: key.clone(), range: None }).await {
            Ok(body) => body,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let stored = self.target.objects.send(Put { key, body }).await?;
        self.count += 1;
        self.bytes += stored.size;
        Ok(())
    }
}

fn objects_table() -> TableName {
    TableName::new("storage", "objects")
}

fn key_of(row: &Row) -> Option<String> {
    match row.get("version")? {
        Value::Text(version) => Some(object_key(version)),
        _ => None,
    }
}
