//! Checksums of files: what a store says of its bytes is not asked.

use futures::TryStreamExt;
use truststream_kernel::Result;

use super::{File, Files};
use crate::hash::halved;

/// What a file's bytes are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// 128 bits of BLAKE3 over them.
    pub(crate) hash: u128,
    /// How many they are.
    pub(crate) bytes: u64,
}

/// Reads a file chunk by chunk; `None` if it is not there.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn checksum(files: &Files, file: &File) -> Result<Option<Checksum>> {
    let Some(body) = files.read(file).await? else { return Ok(None) };
    let mut stream = body.stream();
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    while let Some(chunk) = stream.try_next().await? {
        hasher.update(&chunk);
        bytes += chunk.len() as u64;
    }
    Ok(Some(Checksum { hash: halved(hasher.finalize()), bytes }))
}
