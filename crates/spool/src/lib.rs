//! Bytes that are too many for memory: small bodies stay in it, large ones go to an unnamed temporary file,
//! of which nothing is left once nobody reads it any more, whatever becomes of the process.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod file;

use std::fs::File;
use std::io::{self, Write};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use truststream_kernel::{Body, Error, Result};

use crate::file::Spooled;

/// Bodies up to this size stay in memory.
pub const IN_MEMORY: usize = 1 << 20;
/// Bytes written to a file at once.
const CHUNK: usize = 256 << 10;

/// A body being written.
#[derive(Debug, Default)]
pub struct Spool {
    /// All of it, or what the file does not have yet.
    memory: Vec<u8>,
    file: Option<File>,
    written: u64,
}

impl Spool {
    /// A body that will have about so many bytes.
    pub fn expecting(length: usize) -> Self {
        // More than stays in memory is moved on before it has all come.
        let room = if length > IN_MEMORY { IN_MEMORY + CHUNK } else { length };
        Spool { memory: Vec::with_capacity(room), ..Spool::default() }
    }

    /// Appends bytes without writing to the file, which then is due as [`is_due`](Self::is_due) tells.
    pub fn push(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(bytes);
    }

    /// Bytes appended so far.
    pub fn length(&self) -> u64 {
        self.written + self.memory.len() as u64
    }

    /// Whether so much is in memory that it is to be moved to the file.
    pub fn is_due(&self) -> bool {
        self.memory.len() > if self.file.is_some() { CHUNK } else { IN_MEMORY }
    }

    /// Moves what is in memory to the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn to_file(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile()?),
        };
        file.write_all(&self.memory)?;
        self.written += self.memory.len() as u64;
        if self.memory.capacity() > 2 * CHUNK {
            self.memory = Vec::with_capacity(CHUNK);
        }
        self.memory.clear();
        Ok(())
    }

    /// The body, complete.
    ///
    /// # Errors
    /// `Unavailable` if it can't be written to the file.
    pub fn finish(mut self) -> Result<Body> {
        if self.file.is_none() {
            return Ok(Body::from(self.memory));
        }
        self.to_file().map_err(failed)?;
        match self.file {
            Some(file) => Ok(Body::from_source(Some(self.written), Spooled::new(file))),
            None => Ok(Body::EMPTY),
        }
    }

    /// The same with all that is in memory moved to the file, on a thread that may block.
    ///
    /// # Errors
    /// `Unavailable` if the file can't be written.
    pub async fn settled(mut self) -> Result<Self> {
        let settled = tokio::task::spawn_blocking(move || self.to_file().map(|()| self)).await;
        settled.map_err(|error| Error::internal("spooling stopped").with_source(error))?.map_err(failed)
    }
}

/// For threads that may block: what is due is moved to the file at once.
impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        if self.is_due() {
            self.to_file()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a stream of about `expected` bytes to its end; `too_large` is the error where it has more than `limit` bytes.
///
/// # Errors
/// Those of the stream, and `Unavailable` if the file can't be written.
pub async fn spool<S>(stream: S, expected: usize, limit: u64, too_large: impl Fn() -> Error) -> Result<Body>
where
    S: Stream<Item = Result<Bytes>>,
{
    let mut stream = std::pin::pin!(stream);
    let mut spool = Spool::expecting(expected);
    while let Some(chunk) = stream.try_next().await? {
        if chunk.len() as u64 > limit.saturating_sub(spool.length()) {
            return Err(too_large());
        }
        spool.push(&chunk);
        if spool.is_due() {
            spool = spool.settled().await?;
        }
    }
    if spool.file.is_some() {
        spool = spool.settled().await?;
    }
    spool.finish()
}

/// The error of a file that can't be written or read.
pub fn failed(error: io::Error) -> Error {
    Error::unavailable("a large body could not be spooled").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes>> {
        futures::stream::iter((0..count).map(|at| Ok(Bytes::from(vec![u8::try_from(at).unwrap(); 1 << 18]))))
    }

    fn too_large() -> Error {
        Error::too_large("too large")
    }

    #[tokio::test]
    async fn large_bodies_go_to_a_file_and_can_be_read_by_several_at_once() {
        let body = spool(chunks(10), 0, u64::MAX, too_large).await.unwrap();
        assert!(body.in_memory().is_none());
        let (mut one, mut other) = (body.stream(), body.stream());
        let mut read = 0;
        while let Some(chunk) = one.try_next().await.unwrap() {
            assert_eq!(Some(&chunk), other.try_next().await.unwrap().as_ref());
            assert!(chunk.iter().enumerate().all(|(at, byte)| usize::from(*byte) == (read + at) >> 18));
            read += chunk.len();
        }
        assert_eq!((read, body.length()), (10 << 18, Some(10 << 18)));
        let again = tokio::task::spawn_blocking(move || body.read().unwrap()).await.unwrap();
        assert_eq!(again.len(), 10 << 18);
    }

    #[tokio::test]
    async fn small_bodies_stay_in_memory_and_too_large_ones_are_refused() {
        assert_eq!(
            spool(chunks(4), 0, u64::MAX, too_large).await.unwrap().in_memory().unwrap().len(),
            IN_MEMORY
        );
        let refused = spool(chunks(10), 0, (10 << 18) - 1, too_large).await.unwrap_err();
        assert_eq!(refused.message(), "too large");
        assert_eq!(spool(chunks(10), 0, 10 << 18, too_large).await.unwrap().length(), Some(10 << 18));
    }

    #[test]
    fn what_a_thread_writes_is_what_is_read() {
        let mut written = Spool::default();
        for at in 0..300_000_u32 {
            write!(written, "{at},").unwrap();
        }
        assert!(written.memory.capacity() <= 2 * CHUNK);
        let text = (0..300_000).map(|at| format!("{at},")).collect::<String>();
        let body = written.finish().unwrap();
        let mut read = String::new();
        io::Read::read_to_string(&mut body.reader(), &mut read).unwrap();
        assert!(read == text);
    }
}
