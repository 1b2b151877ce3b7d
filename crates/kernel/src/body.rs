//! Bytes that travel with an operation or a reply.

use std::fmt;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

use crate::{Error, Result};

/// Chunks of a body, in order; the first error ends it.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Bytes that lie elsewhere, and can be read any number of times.
pub trait Source: Send + Sync {
    /// Starts reading from the beginning.
    fn stream(&self) -> ByteStream;

    /// The same for a thread that may block.
    fn reader(&self) -> Box<dyn Read + Send> {
        Box::new(Blocking { stream: self.stream(), chunk: Bytes::new() })
    }
}

impl<F: Fn() -> ByteStream + Send + Sync> Source for F {
    fn stream(&self) -> ByteStream {
        self()
    }
}

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
        /// Where they lie.
        source: Arc<dyn Source>,
    },
}

impl Body {
    /// A body of no bytes.
    pub const EMPTY: Body = Body::Bytes(Bytes::new());

    /// A body whose bytes come from `open`, called once a reading.
    pub fn opened_by(length: Option<u64>, open: impl Fn() -> ByteStream + Send + Sync + 'static) -> Self {
        Body::from_source(length, open)
    }

    /// A body whose bytes lie elsewhere.
    pub fn from_source(length: Option<u64>, source: impl Source + 'static) -> Self {
        Body::Open { length, source: Arc::new(source) }
    }

    /// The bytes, where they are in memory.
    pub fn in_memory(&self) -> Option<&Bytes> {
        match self {
            Body::Bytes(bytes) => Some(bytes),
            Body::Open { .. } => None,
        }
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
            Body::Open { source, .. } => source.stream(),
        }
    }

    /// Reads the body from its beginning, on a thread that may block.
    pub fn reader(&self) -> Box<dyn Read + Send> {
        match self {
            Body::Bytes(bytes) => Box::new(io::Cursor::new(bytes.clone())),
            Body::Open { source, .. } => source.reader(),
        }
    }

    /// Reads the whole body into memory, on a thread that may block.
    ///
    /// # Errors
    /// `Unavailable` if it can't be read.
    pub fn read(&self) -> Result<Bytes> {
        if let Body::Bytes(bytes) = self {
            return Ok(bytes.clone());
        }
        let mut all =
            Vec::with_capacity(self.length().and_then(|length| length.try_into().ok()).unwrap_or(0));
        let read = self.reader().read_to_end(&mut all);
        read.map_err(|error| Error::unavailable("a body could not be read").with_source(error))?;
        Ok(all.into())
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
        let expected = self.length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut all = Vec::with_capacity(expected.min(limit));
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

impl From<String> for Body {
    fn from(text: String) -> Self {
        Body::Bytes(text.into())
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Body::Bytes(Bytes::from_static(text.as_bytes()))
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

/// A stream read by a thread that waits for each of its chunks.
struct Blocking {
    stream: ByteStream,
    chunk: Bytes,
}

impl Read for Blocking {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match futures::executor::block_on(self.stream.try_next()).map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let taken = self.chunk.split_to(into.len().min(self.chunk.len()));
        into[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_may_block_reads_what_a_task_would() {
        let chunks = || stream::iter(["ab", "", "cde"].map(|chunk| Ok(Bytes::from(chunk)))).boxed();
        let body = Body::opened_by(None, chunks);
        for _ in 0..2 {
            assert_eq!(body.read().unwrap(), "abcde");
        }
        let broken = Body::opened_by(None, || stream::iter([Err(Error::unavailable("gone"))]).boxed());
        assert_eq!(broken.read().unwrap_err().message(), "a body could not be read");
    }
}
