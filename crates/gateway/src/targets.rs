//! Addresses of requests as people write them: `curl 'localhost:54321/rest/v1/people?select=id,data->>name'`.
//!
//! HTTP wants `"`, `<` and `>` encoded and PostgREST does not, whose guide has them as they are, as does who
//! asks with curl. What reads requests here would refuse them without a word, so they are encoded before it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Longest name of a header that is told from others.
const LONGEST: usize = 32;

/// Where in a connection its next byte lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In the first line of a request, after so many bytes of it.
    Line(usize),
    /// In a header's name, which began so.
    Name(String),
    /// In a header's value; that of the length of the body as far as it was read.
    Value(Option<String>),
    /// In the body, which has so many bytes left.
    Body(u64),
    /// Beyond what can be told for sure: nothing is changed from here on.
    Anywhere,
}

/// Finds the first lines of requests in the bytes of a connection.
#[derive(Debug)]
struct Lines {
    place: Place,
    /// The first bytes of the line.
    method: [u8; 4],
    /// The length of the request's body.
    length: Option<u64>,
}

impl Lines {
    fn new() -> Self {
        Lines { place: Place::Line(0), method: [0; 4], length: None }
    }

    /// Goes over one byte, and tells whether it must be encoded.
    fn pass(&mut self, byte: u8) -> bool {
        match &mut self.place {
            Place::Line(at) => {
                if let Some(first) = self.method.get_mut(*at) {
                    *first = byte;
                }
                match byte {
                    // Empty lines may stand before a request.
                    b'\r' | b'\n' if *at == 0 => {}
                    // Others than HTTP/1, and what becomes something else.
                    _ if *at == 3 && [b"PRI ", b"CONN"].contains(&&self.method) => {
                        self.place = Place::Anywhere
                    }
                    b'\n' => self.place = Place::Name(String::new()),
                    _ => *at += 1,
                }
                return matches!(byte, b'"' | b'<' | b'>');
            }
            Place::Name(name) => match byte {
                b'\r' if name.is_empty() => {}
                b'\n' if name.is_empty() => self.place = self.behind(),
                b':' => self.place = self.named(),
                b if b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b) => {
                    if name.len() < LONGEST {
                        name.push(char::from(b.to_ascii_lowercase()));
                    }
                }
                _ => self.place = Place::Anywhere,
            },
            Place::Value(value) => match (byte, value) {
                (b'\n', value) => {
                    self.place = match value.take() {
                        None => Place::Name(String::new()),
                        Some(digits) => self.measured(&digits),
                    };
                }
                (byte, Some(digits)) if digits.len() < LONGEST => digits.push(char::from(byte)),
                (_, Some(_)) => self.place = Place::Anywhere,
                (_, None) => {}
            },
            Place::Body(_) | Place::Anywhere => {}
        }
        false
    }

    /// How many of the next bytes are given on as they are, without a look at them.
    fn skip(&mut self, bytes: usize) -> usize {
        match &mut self.place {
            Place::Anywhere => bytes,
            Place::Body(left) => {
                let skipped = bytes.min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= skipped as u64;
                if *left == 0 {
                    self.place = Place::Line(0);
                }
                skipped
            }
            _ => 0,
        }
    }

    /// What follows a header's name.
    fn named(&self) -> Place {
        let Place::Name(name) = &self.place else { return Place::Anywhere };
        match name.as_str() {
            "content-length" if self.length.is_none() => Place::Value(Some(String::new())),
            "content-length" | "transfer-encoding" | "upgrade" | "expect" => Place::Anywhere,
            _ => Place::Value(None),
        }
    }

    /// What follows the length of the body.
    fn measured(&mut self, digits: &str) -> Place {
        let digits = digits.trim_matches([' ', '\t', '\r']);
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        self.length = digits.parse().ok().filter(|_| plain);
        if self.length.is_some() { Place::Name(String::new()) } else { Place::Anywhere }
    }

    /// What follows the head of a request.
    fn behind(&mut self) -> Place {
        match self.length.take() {
            None | Some(0) => Place::Line(0),
            Some(length) => Place::Body(length),
        }
    }
}

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

/// Bytes as they are given on; `None` if that is as they are.
fn encoded(lines: &mut Lines, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut out): (usize, Option<Vec<u8>>) = (0, None);
    while let Some(byte) = bytes.get(at) {
        let skipped = lines.skip(bytes.len() - at);
        if skipped == 0 && lines.pass(*byte) {
            let out = out.get_or_insert_with(|| bytes[..at].to_vec());
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
            at += 1;
            continue;
        }
        let passed = skipped.max(1);
        if let Some(out) = &mut out {
            out.extend_from_slice(&bytes[at..at + passed]);
        }
        at += passed;
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given on of text that comes in pieces of so many bytes.
    fn given(text: &str, size: usize) -> String {
        let mut lines = Lines::new();
        let pieces = text.as_bytes().chunks(size);
        let given = pieces.flat_map(|piece| encoded(&mut lines, piece).unwrap_or_else(|| piece.to_vec()));
        String::from_utf8(given.collect()).unwrap()
    }

    #[test]
    fn only_addresses_are_encoded() {
        let head = "Host: \"a\"\r\nX-\"<>: \"\r\n\r\n";
        let plain = "Host: \"a\"\r\nX: <\">\r\n\r\n";
        let cases = [
            (format!("GET /a?b->c=\"d\" HTTP/1.1\r\n{plain}"), format!("GET /a?b-%3Ec=%22d%22 HTTP/1.1\r\n{plain}")),
            // The next request of a connection, behind a body and without one.
            (
                format!("POST /a HTTP/1.1\r\ncontent-length:  4 \r\n\r\n\"<>\nGET /> HTTP/1.1\r\n{plain}\r\nGET /< HTTP/1.1\r\n\r\n"),
                format!("POST /a HTTP/1.1\r\ncontent-length:  4 \r\n\r\n\"<>\nGET /%3E HTTP/1.1\r\n{plain}\r\nGET /%3C HTTP/1.1\r\n\r\n"),
            ),
            // Where a body ends isn't sure, so nothing behind is changed.
            (
                "POST /> HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\"\r\n0\r\n\r\nGET /> HTTP/1.1\r\n\r\n".into(),
                "POST /%3E HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\"\r\n0\r\n\r\nGET /> HTTP/1.1\r\n\r\n".into(),
            ),
            (
                format!("GET /> HTTP/1.1\r\n{head}GET /> HTTP/1.1\r\n\r\n"),
                format!("GET /%3E HTTP/1.1\r\n{head}GET /> HTTP/1.1\r\n\r\n"),
            ),
        ];
        for (text, expected) in &cases {
            for size in 1..=text.len() {
                assert_eq!(given(text, size), *expected, "in pieces of {size}");
            }
        }
        let left_alone = [
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\">",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n\"GET /> HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n\"GET /> HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\">\">",
            "GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\nGET /> HTTP/1.1\r\n\r\n",
        ];
        for text in left_alone {
            assert_eq!(given(text, 3), text);
        }
    }
}
