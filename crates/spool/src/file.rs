//! A body in a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use truststream_kernel::body::Source;
use truststream_kernel::{ByteStream, Error};

use crate::failed;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A file that is read from several places at once: each reading knows where it is, since the file does not.
#[derive(Clone)]
pub(crate) struct Spooled(Arc<Mutex<File>>);

impl Spooled {
    pub(crate) fn new(file: File) -> Self {
        Spooled(Arc::new(Mutex::new(file)))
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self.0.lock();
        file.seek(SeekFrom::Start(at))?;
        file.read(into)
    }
}

impl Source for Spooled {
    fn stream(&self) -> ByteStream {
        let read = |(file, at): (Spooled, u64)| async move {
            let reading = tokio::task::spawn_blocking(move || {
                let mut chunk = vec![0; CHUNK];
                let read = file.read_at(at, &mut chunk)?;
                chunk.truncate(read);
                Ok((read > 0).then(|| (Bytes::from(chunk), (file, at + read as u64))))
            });
            let stopped = |error| Error::internal("reading a spooled body stopped").with_source(error);
            reading.await.map_err(stopped)?.map_err(failed)
        };
        futures::stream::try_unfold((self.clone(), 0), read).boxed()
    }

    fn reader(&self) -> Box<dyn Read + Send> {
        let reading = Reading { file: self.clone(), at: 0 };
        Box::new(io::BufReader::with_capacity(CHUNK, reading))
    }
}

/// One reading by a thread that may block.
struct Reading {
    file: Spooled,
    at: u64,
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, into)?;
        self.at += read as u64;
        Ok(read)
    }
}
