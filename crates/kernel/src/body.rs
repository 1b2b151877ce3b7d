//! Bytes that travel with an operation or a reply.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

use crate::{Error, Result};

/// Chunks of a body, in order; the first error ends it.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// A sequence of bytes: in memory, or opened when it is read.
///
/// Both forms can be read more than once, so an operation that carries a body can be retried or
/// held back while a route changes. A sender that has only a one-shot stream spools it first.
#[derive(Clone)]
pub enum Body {
    /// All bytes, in memory.
    Bytes(Bytes),
    /// Opens the bytes anew each time it is called (a spooled file, a remote object).
    Open {
        /// Length in bytes, if known.
        length: Option<u64>,
        /// Starts reading from the beginning.
        open: Arc<dyn Fn() -> ByteStream + Send + Sync>,
    },
}

impl Body {
    /// A body of no bytes.
    pub const EMPTY: Body = Body::Bytes(Bytes::new());

    /// A body whose bytes come from `open`, called once a reading.
    pub fn opened_by(length: Option<u64>, open: impl Fn() -> ByteStream + Send + Sync + 'static) -> Self {
        Body::Open { length, open: Arc::new(open) }
    }

    /// Length in bytes, if known without reading.
    pub fn length(&self) -> Option<u64> {
        match self {
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Open { length, .. } => *length,
        }
    }

    /// Reads the body from its beginning.
    pub fn stream(&self) -> ByteStream {
        match self {
            Body::Bytes(bytes) => stream::once(std::future::ready(Ok(bytes.clone()))).boxed(),
            Body::Open { open, .. } => open(),
        }
    }

    /// Reads the whole body into memory; at most `limit` bytes.
    ///
    /// # Errors
    /// `TooLarge` when there are more, and whatever the stream reports.
    pub async fn collect(&self, limit: usize) -> Result<Bytes> {
        if let Body::Bytes(bytes) = self {
            return if bytes.len() <= limit { Ok(bytes.clone()) } else { Err(too_large(limit)) };
        }
        let mut stream = self.stream();
        let mut all = Vec::new();
        while let Some(chunk) = stream.try_next().await? {
            if all.len() + chunk.len() > limit {
                return Err(too_large(limit));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.into())
    }
}

fn too_large(limit: usize) -> Error {
    Error::too_large(format!("the body is larger than {limit} bytes"))
}

impl Default for Body {
    fn default() -> Self {
        Body::EMPTY
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Body::Bytes(bytes.into())
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Body::Bytes(Bytes::from_static(bytes))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(unknown length)"),
        }
    }
}
