//! The bytes of a CSV file on their way to its parser, which tells neither on which line a record begins
//! where lines end in `\r\n` or are empty, nor that a quoted field never ends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::source::BYTE_ORDER_MARK;

/// Where in a record the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Before its first byte.
    Nothing,
    /// Before the first byte of a further field.
    Field,
    /// In a field without quotes, or behind the quotes of one.
    Text,
    /// In quotes that began on this line.
    Quotes(u64),
    /// Behind a quote within quotes: their end, or the first half of a quote that is meant.
    Quote(u64),
}

/// A source that is looked at while it is read.
pub(super) struct Records<R> {
    source: R,
    within: Within,
    line: u64,
    bytes: usize,
    at_end: bool,
    /// The lines of the records that were read ahead.
    begun: VecDeque<u64>,
}

impl<R> Records<R> {
    pub(super) fn of(source: R) -> Self {
        Records { source, within: Within::Nothing, line: 1, bytes: 0, at_end: false, begun: VecDeque::new() }
    }

    /// The line on which the next record begins, counted from 1; each is told once.
    pub(super) fn next_line(&mut self) -> u64 {
        self.begun.pop_front().unwrap_or(self.line)
    }

    /// The line of a quote that the file ends without closing.
    pub(super) fn unclosed(&self) -> Option<u64> {
        match self.within {
            Within::Quotes(line) if self.at_end => Some(line),
            _ => None,
        }
    }

    fn look(&mut self, byte: u8) {
        self.bytes += 1;
        if self.bytes <= BYTE_ORDER_MARK.len() && byte == BYTE_ORDER_MARK[self.bytes - 1] {
            return;
        }
        let ends_line = matches!(byte, b'\n' | b'\r');
        if self.within == Within::Nothing && !ends_line {
            self.begun.push_back(self.line);
        }
        self.within = match (self.within, byte) {
            (Within::Quotes(line), b'"') => Within::Quote(line),
            (Within::Quote(line), b'"') => Within::Quotes(line),
            (Within::Quotes(line), _) => Within::Quotes(line),
            (_, b'\n' | b'\r') => Within::Nothing,
            (_, b',') => Within::Field,
            (Within::Nothing | Within::Field, b'"') => Within::Quotes(self.line),
            _ => Within::Text,
        };
        self.line += u64::from(byte == b'\n');
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Records<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.source).poll_read(cx, into))?;
        let read = &into.filled()[before..];
        self.at_end = read.is_empty();
        read.iter().for_each(|byte| self.look(*byte));
        Poll::Ready(Ok(()))
    }
}
