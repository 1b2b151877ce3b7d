//! Checksums of objects: what a store says of its bytes is not asked.

use futures::TryStreamExt;
use truststream_kernel::{ErrorKind, Result};
use truststream_services::objects::{Get, Objects};

use crate::hash::halved;

/// What an object's bytes are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    /// 128 bits of BLAKE3 over them.
    pub(crate) hash: u128,
    /// How many they are.
    pub(crate) bytes: u64,
}

/// Reads an object chunk by chunk; `None` if it is not there.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn checksum(objects: &Objects, key: String) -> Result<Option<Checksum>> {
    match read(objects, key).await {
        Ok(checksum) => Ok(Some(checksum)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

async fn read(objects: &Objects, key: String) -> Result<Checksum> {
    let mut stream = objects.send(Get { key, range: None }).await?.stream();
    let (mut hasher, mut bytes) = (blake3::Hasher::new(), 0);
    while let Some(chunk) = stream.try_next().await? {
        hasher.update(&chunk);
        bytes += chunk.len() as u64;
    }
    Ok(Checksum { hash: halved(hasher.finalize()), bytes })
}
