//! Taking an upload in before anything is done with it.
//!
//! A body that comes slowly must not keep a route from changing, and one that breaks off must not
//! leave half an object: so it is read whole first.

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use truststream_kernel::{Body, Error, ErrorKind, Result};

/// Reads a stream to its end, at most `limit` bytes.
pub(super) async fn spool<S, E>(stream: S, limit: u64) -> Result<Body>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    truststream_spool::spool(stream.map_err(broken_off), 0, limit, too_large).await
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "EntityTooLarge", "The object exceeded the maximum allowed size")
}

fn broken_off(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidInput, "InvalidRequest", "the upload broke off").with_source(error)
}
