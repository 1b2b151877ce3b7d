//! Addresses of requests as people write them: `curl 'localhost:54321/rest/v1/people?select=id,data->>name'`.
//!
//! HTTP wants `"`, `<` and `>` encoded and PostgREST does not, whose guide has them as they are, as does who
//! asks with curl. What reads requests here would refuse them without a word, so they are encoded before it.

mod lines;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use lines::{Lines, encoded};

/// A connection on which `"`, `<` and `>` may stand in addresses.
pub(crate) struct Lenient {
    stream: TcpStream,
    lines: Lines,
    /// What was read and is yet to be given on, and how much of it was.
    waiting: Vec<u8>,
    given: usize,
}

impl Lenient {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Lenient { stream, lines: Lines::new(), waiting: Vec::new(), given: 0 }
    }
}

impl AsyncRead for Lenient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.waiting.is_empty() {
            let before = buffer.filled().len();
            std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            if let Some(whole) = encoded(&mut this.lines, &buffer.filled()[before..]) {
                buffer.set_filled(before);
                (this.waiting, this.given) = (whole, 0);
            }
        }
        let left = &this.waiting[this.given..];
        let some = &left[..left.len().min(buffer.remaining())];
        buffer.put_slice(some);
        this.given += some.len();
        if this.given == this.waiting.len() {
            this.waiting = Vec::new();
            this.given = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lenient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
