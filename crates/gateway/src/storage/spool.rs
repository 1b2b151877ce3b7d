//! Taking an upload in before anything is done with it.
//!
//! A body that comes slowly must not keep a route from changing, and one that breaks off must not
//! leave half an object: so it is read whole first, small ones into memory, large ones into an
//! unnamed temporary file.

use std::io::{Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use truststream_kernel::{Body, ByteStream, Error, ErrorKind, Result};

/// Bodies up to this size stay in memory.
const IN_MEMORY: usize = 1 << 20;
/// Bytes read from a file at once.
const CHUNK: usize = 64 << 10;

/// Reads a stream to its end, at most `limit` bytes.
pub(super) async fn spool<S, E>(stream: S, limit: u64) -> Result<Body>
where
    S: Stream<Item = Result<Bytes, E>> + Send,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut stream = std::pin::pin!(stream.map_err(broken_off));
    let mut memory = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        if (memory.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        memory.extend_from_slice(&chunk);
        if memory.len() > IN_MEMORY {
            return to_file(memory, stream, limit).await;
        }
    }
    Ok(Body::from(memory))
}

async fn to_file(
    begun: Vec<u8>,
    mut rest: impl Stream<Item = Result<Bytes>> + Unpin,
    limit: u64,
) -> Result<Body> {
    let file = tempfile::tempfile().map_err(failed)?;
    let mut writer = tokio::fs::File::from_std(file.try_clone().map_err(failed)?);
    let mut length = begun.len() as u64;
    writer.write_all(&begun).await.map_err(failed)?;
    drop(begun);
    while let Some(chunk) = rest.try_next().await? {
        length += chunk.len() as u64;
        if length > limit {
            return Err(too_large());
        }
        writer.write_all(&chunk).await.map_err(failed)?;
    }
    writer.flush().await.map_err(failed)?;
    let file = Arc::new(file);
    Ok(Body::opened_by(Some(length), move || read(&file)))
}

/// The file from its beginning. All readings share one file position, and there is one at a time.
fn read(file: &Arc<std::fs::File>) -> ByteStream {
    let open = file.try_clone().and_then(|mut file| file.seek(SeekFrom::Start(0)).map(|_| file));
    let file = match open {
        Ok(file) => tokio::fs::File::from_std(file),
        Err(error) => return futures::stream::once(async move { Err(failed(error)) }).boxed(),
    };
    futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await.map_err(failed)?;
        chunk.truncate(read);
        Ok((read > 0).then(|| (Bytes::from(chunk), file)))
    })
    .boxed()
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "EntityTooLarge", "The object exceeded the maximum allowed size")
}

fn broken_off(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidRequest", "the upload broke off").with_source(error)
}

fn failed(error: std::io::Error) -> Error {
    Error::unavailable("the upload could not be spooled").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send {
        futures::stream::iter((0..count).map(|_| Ok(Bytes::from(vec![7; 1 << 18]))))
    }

    #[tokio::test]
    async fn large_bodies_go_to_a_file_and_can_be_read_twice() {
        let body = spool(chunks(10), u64::MAX).await.unwrap();
        assert!(matches!(body, Body::Open { .. }));
        for _ in 0..2 {
            assert_eq!(body.collect(usize::MAX).await.unwrap().len(), 10 << 18);
        }
        assert_eq!(spool(chunks(10), 1 << 20).await.unwrap_err().code(), "EntityTooLarge");
        assert!(matches!(spool(chunks(1), u64::MAX).await.unwrap(), Body::Bytes(_)));
    }
}
