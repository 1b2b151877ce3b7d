//! The least HTTP/1.1 client that measures honestly: one kept-alive connection, one request at a time, the
//! whole reply read and framed (length or chunks), nothing else done on the clock.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MOST_HEADERS: usize = 64;

/// One connection.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
}

/// One reply; the body is borrowed from the connection.
pub struct Reply<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

struct Head {
    status: u16,
    /// Where the body starts.
    length: usize,
    framing: Framing,
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(32 * 1024), body: Vec::with_capacity(32 * 1024) })
    }

    /// Sends one whole request and reads the whole reply.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let head = loop {
            self.read_more().await?;
            if let Some(head) = parse_head(&self.received)? {
                break head;
            }
        };
        match head.framing {
            Framing::Length(length) => {
                while self.received.len() < head.length + length {
                    self.read_more().await?;
                }
                Ok(Reply { status: head.status, body: &self.received[head.length..head.length + length] })
            }
            Framing::Chunked => {
                self.read_chunks(head.length).await?;
                Ok(Reply { status: head.status, body: &self.body })
            }
        }
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.received).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    /// Collects the chunks that start at `at` into `body`.
    async fn read_chunks(&mut self, mut at: usize) -> Result<()> {
        self.body.clear();
        loop {
            let parsed = httparse::parse_chunk_size(&self.received[at..]);
            let httparse::Status::Complete((line, size)) = parsed.ok().context("a bad chunk size")? else {
                self.read_more().await?;
                continue;
            };
            let start = at + line;
            let end = start + usize::try_from(size)?;
            // Each chunk, and the last, empty one, is followed by a line end.
            while self.received.len() < end + 2 {
                self.read_more().await?;
            }
            self.body.extend_from_slice(&self.received[start..end]);
            at = end + 2;
            if size == 0 {
                return Ok(());
            }
        }
    }
}

fn parse_head(received: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(received).context("not an HTTP reply")? else {
        return Ok(None);
    };
    let mut framing = None;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).context("a bad content-length")?;
            framing = Some(Framing::Length(text.parse().context("a bad content-length")?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        }
    }
    let status = response.code.context("a reply without a status")?;
    // These have no body, and need not say so: RFC 9110, section 6.4.1.
    let framing = framing.or(matches!(status, 204 | 304).then_some(Framing::Length(0)));
    let framing = framing.context("a reply with neither length nor chunks")?;
    Ok(Some(Head { status, length, framing }))
}

#[cfg(test)]
mod tests {
    use super::{Connection, Framing, parse_head};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn heads_are_parsed_when_whole() {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-le").is_ok_and(|head| head.is_none()));
        let head = parse_head(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok");
        assert!(head.is_ok_and(|h| h.is_some_and(|h| h.status == 201 && h.framing == Framing::Length(2))));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn chunks_split_anywhere_are_joined() -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serve = async {
            let (mut stream, _) = listener.accept().await?;
            for _ in 0..2 {
                let mut request = [0; 4];
                stream.read_exact(&mut request).await?;
                for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n" {
                    stream.write_all(&[*byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
            anyhow::Ok(())
        };
        let ask = async {
            let mut connection = Connection::open(address).await?;
            for _ in 0..2 {
                let reply = connection.ask(b"ask\n").await?;
                assert_eq!((reply.status, reply.body), (200, b"abc0123456789".as_slice()));
            }
            anyhow::Ok(())
        };
        tokio::try_join!(serve, ask)?;
        Ok(())
    }
}
