//! Comparing the bytes of objects: every one is read on both sides.

use futures::{StreamExt, TryStreamExt, future::try_join, stream};
use truststream_kernel::{Error, Result, Row};

use super::{BETWEEN, Comparison, LOOKS, NAMED, Which};
use crate::Verify;
use crate::hash::{combined, key_hash};
use crate::objects::{
    AT_ONCE, Checksum, File, checksum, chunks, comparable_files, counterparts, objects_table, replaced,
    shares_objects,
};
use crate::record::ObjectsReport;

/// One object in so many is compared in a sample.
const SAMPLE: u128 = 16;

/// An object, and what both sides have of it.
struct Compared {
    row: Row,
    file: File,
    source: Option<Checksum>,
    target: Option<Checksum>,
}

impl Compared {
    /// What the source has no bytes of is being removed, or never had any: there is nothing to lose.
    fn is_kept(&self) -> bool {
        self.source.is_none() || self.source == self.target
    }
}

/// What was compared so far.
#[derive(Default)]
struct Tally {
    report: ObjectsReport,
    source: u128,
    target: u128,
}

impl Tally {
    fn put(&mut self, key: u128, compared: &Compared) {
        let Some(source) = compared.source else { return };
        self.report.count += 1;
        self.report.bytes += source.bytes;
        self.source = self.source.wrapping_add(combined(key, source.hash));
        let target = compared.target.map_or(0, |target| combined(key, target.hash));
        self.target = self.target.wrapping_add(target);
    }

    fn told(self) -> ObjectsReport {
        let text = |sum| format!("{sum:032x}");
        ObjectsReport { source: text(self.source), target: text(self.target), ..self.report }
    }
}

impl Comparison<'_> {
    /// The bytes of all objects that the source's rows speak of; `None` where both sides share them.
    pub(super) async fn objects(&mut self) -> Result<Option<ObjectsReport>> {
        if shares_objects(&self.source, &self.target) {
            return Ok(None);
        }
        let key = self.keys[&objects_table()].clone();
        let is_sample = self.options.verify == Verify::Sample;
        let (mut tally, mut different) = (Tally::default(), Vec::new());
        let mut chunks = chunks(&self.source, &key, self.options, self.signal);
        while let Some(chunk) = chunks.next().await? {
            let mut rows = chunk.rows;
            rows.retain(|row| !is_sample || key_hash(&key, row).is_multiple_of(SAMPLE));
            for compared in self.portion(rows).await? {
                tally.put(key_hash(&key, &compared.row), &compared);
                if !compared.is_kept() {
                    different.push(compared.file.path());
                }
            }
            let ObjectsReport { count, bytes, .. } = tally.report;
            self.meter.note(format!("{count} files compared ({bytes} bytes)"));
        }
        if !different.is_empty() {
            let more = if different.len() > NAMED { ", …" } else { "" };
            let named = different[..different.len().min(NAMED)].join(", ");
            self.differing.push(format!("the bytes of {} files ({named}{more})", different.len()));
        }
        Ok(Some(tally.told()))
    }

    /// Some objects, again where they differ: what was uploaded just now is on its way to the target.
    async fn portion(&mut self, rows: Vec<Row>) -> Result<Vec<Compared>> {
        let mut kept = Vec::with_capacity(rows.len());
        let mut rows = rows;
        let key = &self.keys[&objects_table()].clone();
        for look in 1.. {
            let compared = self.read(rows).await?;
            let (same, differing): (Vec<_>, Vec<_>) = compared.into_iter().partition(Compared::is_kept);
            kept.extend(same);
            if differing.is_empty() || look == LOOKS {
                kept.extend(differing);
                break;
            }
            rows = differing.into_iter().map(|compared| compared.row).collect();
            if self.options.repair && look + 1 == LOOKS {
                // Rows that a platform gets have to be what they are now.
                let keys = rows.iter().map(|row| key_hash(key, row)).collect();
                let present = self.rows_by(Which::Source, &objects_table(), &keys).await?;
                let changes = replaced(&self.source, &self.target, present).await?;
                if !changes.is_empty() {
                    self.make(Vec::new(), changes).await?;
                }
            }
            self.signal.sleep(BETWEEN).await;
            self.catch_up().await?;
        }
        Ok(kept)
    }

    async fn read(&self, rows: Vec<Row>) -> Result<Vec<Compared>> {
        let mut rows = rows;
        rows.retain(|row| File::of(row).is_some());
        let there = counterparts(&self.source, &self.target, &rows).await?;
        let files: Vec<_> = rows.iter().filter_map(File::of).collect();
        let both = files.clone().into_iter().zip(there);
        let reads = rows.into_iter().zip(both).map(|(row, (file, there))| async move {
            self.signal.check()?;
            let (source, target) =
                try_join(checksum(&self.source.files, &file), checksum(&self.target.files, &there)).await?;
            Ok::<_, Error>(Compared { row, file, source, target })
        });
        let mut read: Vec<Compared> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
        let known = comparable_files(&self.source, &self.target, &files).await?;
        // What has changed since is brought as any change is.
        let changed = read.iter_mut().filter(|compared| !known.contains(&compared.file.id));
        changed.for_each(|compared| compared.source = None);
        Ok(read)
    }
}
