//! Trying to move a few files.

use std::time::{Duration, Instant};

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::Scan;

use crate::Side;
use crate::objects::{File, checksum, copy, makes_rows, objects_table, shares_objects};

/// Files that are tried, and bytes after which no other one is.
const FILES: usize = 20;
const BYTES: u64 = 32 << 20;

/// What was seen of files.
#[derive(Default)]
pub(super) struct Files {
    /// Files tried.
    pub(super) count: u64,
    pub(super) bytes: u64,
    /// What copying them took, and reading them on both sides.
    pub(super) took: Duration,
}

impl Files {
    /// Seconds that so many bytes would take.
    pub(super) fn seconds(&self, bytes: u64) -> f64 {
        if self.bytes == 0 { 0.0 } else { self.took.as_secs_f64() * bytes as f64 / self.bytes as f64 }
    }
}

/// Copies some files, reads them on both sides, and removes them again.
///
/// # Errors
/// When a store does not answer, or the target does not give back what it got.
pub(super) async fn try_files(source: &Side, target: &Side) -> Result<Files> {
    let mut files = Files::default();
    // A platform has no place for files without their buckets, and buckets are not tried out on one.
    if shares_objects(source, target) || makes_rows(source, target) {
        return Ok(files);
    }
    let rows = source.database.send(Scan::new(objects_table(), None, FILES)).await?.rows;
    for file in rows.iter().filter_map(File::of) {
        if files.bytes >= BYTES {
            break;
        }
        // A switch before left it there, and would not copy it either.
        if target.files.size(&file).await?.is_some() {
            continue;
        }
        let began = Instant::now();
        let tried = round(source, target, &file).await;
        target.files.remove(&file).await?;
        if let Some(bytes) = tried? {
            files.count += 1;
            files.bytes += bytes;
            files.took += began.elapsed();
        }
    }
    Ok(files)
}

async fn round(source: &Side, target: &Side, file: &File) -> Result<Option<u64>> {
    let Some(bytes) = copy((source, file), (target, file)).await? else { return Ok(None) };
    let sent = checksum(&source.files, file).await?;
    if sent.is_some() && checksum(&target.files, file).await? != sent {
        let message = format!("the store of `{}` gave back other bytes of a file than it got", target.name);
        return Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
            .with_hint("whatever keeps its files is not to be trusted: check its disk, or the service"));
    }
    Ok(Some(bytes))
}
