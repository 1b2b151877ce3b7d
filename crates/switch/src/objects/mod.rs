//! Moving the bytes that rows of `storage.objects` speak of.
//!
//! In an object store every upload writes a new object under a key that contains its version and is never
//! written again, so an object that is there with the right size needs no second copy. A platform keeps
//! them otherwise (`platform.rs`).

mod checksum;
mod files;
mod platform;
mod uploads;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use truststream_kernel::{Error, Result, Row, Value};
use truststream_services::database::{Change, TableName};

pub(crate) use self::checksum::{Checksum, checksum};
pub(crate) use self::files::File;
pub use self::files::Files;
pub(crate) use self::platform::{arrived, forget, id};
pub(crate) use self::uploads::Uploads;
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

    /// Whether the target's platform makes the rows of files, so that none are copied before these.
    pub(crate) fn makes_rows(&self) -> bool {
        makes_rows(&self.source, &self.target)
    }

    /// Brings files to the target's platform that are not there yet; returns what their rows become there.
    pub(crate) async fn arrive(&mut self, rows: Vec<Row>) -> Result<Vec<Change>> {
        let absent = platform::absent(&self.target, rows).await?;
        self.arrange(absent.into_iter().map(arrived).collect()).await
    }

    /// Copies what rows that are about to be applied speak of; returns the changes as the target has to take
    /// them.
    pub(crate) async fn before(&mut self, changes: Vec<Change>) -> Result<Vec<Change>> {
        if shares_objects(&self.source, &self.target) {
            return Ok(changes);
        }
        if self.makes_rows() {
            return self.arrange(changes).await;
        }
        let of_objects = changes.iter().filter(|change| change.table == objects_table());
        let rows = of_objects.filter_map(|change| change.new.clone()).collect();
        self.copy_all(rows, &|_, _| Ok(())).await?;
        Ok(changes)
    }

    async fn arrange(&mut self, changes: Vec<Change>) -> Result<Vec<Change>> {
        if changes.iter().all(|change| change.table != objects_table()) {
            return Ok(changes);
        }
        let arranged = platform::arrange(&self.source, &self.target, changes).await?;
        self.count += arranged.moved.len() as u64;
        self.bytes += arranged.moved.iter().sum::<u64>();
        Ok(arranged.changes)
    }

    /// Copies the objects of some rows, as long as `told`, which hears how many it were so far, has nothing
    /// against it.
    async fn copy_all(
        &mut self,
        rows: Vec<Row>,
        told: &(dyn Fn(u64, u64) -> Result<()> + Sync),
    ) -> Result<()> {
        let files: Vec<_> = rows.iter().filter_map(File::of).collect();
        let copies = files.into_iter().map(|file| bring(self.source.clone(), self.target.clone(), file));
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

    /// Files that no row speaks of any more once the changes are applied.
    pub(crate) async fn obsolete(&self, changes: &[Change]) -> Result<Vec<File>> {
        if shares_objects(&self.source, &self.target) || self.makes_rows() {
            return Ok(Vec::new());
        }
        let (mut old, mut last) = (Vec::new(), HashMap::new());
        for change in changes.iter().filter(|change| change.table == objects_table()) {
            old.extend(change.old.clone());
            last.extend(change.old.as_ref().and_then(id).map(|id| (id, None)));
            last.extend(
                change.new.as_ref().and_then(File::of).map(|file| (file.id.clone(), Some(file.key()))),
            );
        }
        let kept: HashSet<_> = last.into_values().flatten().collect();
        let there = counterparts(&self.source, &self.target, &old).await?;
        let old = old.iter().filter_map(File::of).chain(there);
        Ok(old.filter(|file| !kept.contains(&file.key())).collect())
    }

    /// Removes files from the target.
    pub(crate) async fn remove(&self, files: Vec<File>) -> Result<()> {
        for file in &files {
            self.target.files.remove(file).await?;
        }
        Ok(())
    }
}

/// Whether both sides keep their files in one place.
pub(crate) fn shares_objects(source: &Side, target: &Side) -> bool {
    source.files_place == target.files_place
}

/// Whether the platform of the target makes the rows of files itself.
pub(crate) fn makes_rows(source: &Side, target: &Side) -> bool {
    !shares_objects(source, target) && target.files.platform().is_some()
}

/// Brings the files of these rows to the target anew; returns what their rows become where its platform makes
/// them.
pub(crate) async fn replaced(source: &Side, target: &Side, rows: Vec<Row>) -> Result<Vec<Change>> {
    if makes_rows(source, target) {
        return rearranged(source, target, rows.into_iter().map(arrived).collect()).await;
    }
    let rows: Vec<_> = rows.into_iter().filter(|row| File::of(row).is_some()).collect();
    let there = counterparts(source, target, &rows).await?;
    for (file, there) in rows.iter().filter_map(File::of).zip(&there) {
        copy((source, &file), (target, there)).await?;
    }
    Ok(Vec::new())
}

/// Brings what changes tell of to the target's platform, and says what they become there.
pub(crate) async fn rearranged(source: &Side, target: &Side, changes: Vec<Change>) -> Result<Vec<Change>> {
    Ok(platform::arrange(source, target, changes).await?.changes)
}

/// A row as it is compared.
pub(crate) fn comparable<'r>(sides: (&Side, &Side), table: &TableName, row: &'r Row) -> Cow<'r, Row> {
    if !have_own_versions(sides, table) {
        return Cow::Borrowed(row);
    }
    let mut row = row.clone();
    platform::set_version(&mut row, Value::Null);
    Cow::Owned(row)
}

/// A change of what is compared.
pub(crate) fn comparable_change<'c>(sides: (&Side, &Side), change: &'c Change) -> Cow<'c, Change> {
    if !have_own_versions(sides, &change.table) {
        return Cow::Borrowed(change);
    }
    let mut change = change.clone();
    let rows = change.old.iter_mut().chain(&mut change.new);
    rows.for_each(|row| platform::set_version(row, Value::Null));
    Cow::Owned(change)
}

/// Whether each side has versions of its own: where a platform chooses them.
fn have_own_versions((source, target): (&Side, &Side), table: &TableName) -> bool {
    let chooses = |side: &Side| side.files.platform().is_some();
    *table == objects_table() && (chooses(source) || chooses(target))
}

/// The files of rows of the source as the target names them: where a platform chose the versions there, an
/// object store has its own.
pub(crate) async fn counterparts(source: &Side, target: &Side, rows: &[Row]) -> Result<Vec<File>> {
    let named = || rows.iter().filter_map(|row| Some((id(row)?, File::of(row)?)));
    if source.files.platform().is_none() || target.files.platform().is_some() {
        return Ok(named().map(|(_, file)| file).collect());
    }
    let versions = platform::versions(&target.database, named().map(|(id, _)| id).collect()).await?;
    let of_target = |(id, file): (String, File)| match versions.get(&id) {
        Some(version) => file.of_version(version.clone()),
        None => file,
    };
    Ok(named().map(of_target).collect())
}

/// The rows of objects, in portions that do not keep work from resting.
pub(crate) fn chunks(side: &Side, key: &[String], options: &Options, signal: &Signal) -> Chunks {
    let options = Options { chunk: options.chunk.min(ROWS), ..options.clone() };
    Chunks::all(side, &objects_table(), key, &options, signal)
}

/// Copies an object that is not there yet; returns how many bytes were copied, if any.
async fn bring(source: Side, target: Side, file: File) -> Result<Option<u64>> {
    // Removed since the row was read: the change that says so follows.
    let Some(size) = source.files.size(&file).await? else { return Ok(None) };
    if target.files.size(&file).await? == Some(size) {
        return Ok(None);
    }
    copy((&source, &file), (&target, &file)).await
}

/// Whether a platform has, under a file's name, the version that its row told of: the name may be another
/// file's by now. An object store has it under its version, or not at all.
async fn is_current(source: &Side, file: &File) -> Result<bool> {
    if source.files.platform().is_none() {
        return Ok(true);
    }
    Ok(!platform::unchanged(&source.database, std::slice::from_ref(file)).await?.is_empty())
}

/// Which of these files, by their ids, a comparison has read as their rows have them: where a side finds them by
/// name, others may have been there.
pub(crate) async fn comparable_files(
    source: &Side,
    target: &Side,
    files: &[File],
) -> Result<HashSet<String>> {
    let by_name = source.files.platform().is_some() || target.files.platform().is_some();
    if !by_name {
        return Ok(files.iter().map(|file| file.id.clone()).collect());
    }
    let unchanged = platform::unchanged(&source.database, files).await?;
    Ok(unchanged.into_iter().map(str::to_owned).collect())
}

/// Copies an object, whatever is there; returns how many bytes it has, or `None` if it is gone, or another one by
/// now: the change that says so follows.
///
/// # Errors
/// `Unavailable` when the target kept another number of bytes than the source has.
pub(crate) async fn copy(
    (source, file): (&Side, &File),
    (target, there): (&Side, &File),
) -> Result<Option<u64>> {
    if !is_current(source, file).await? {
        return Ok(None);
    }
    let Some(body) = source.files.read(file).await? else { return Ok(None) };
    let expected = body.length();
    let stored = target.files.write(there, body).await?;
    if !is_current(source, file).await? {
        target.files.remove(there).await?;
        return Ok(None);
    }
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
