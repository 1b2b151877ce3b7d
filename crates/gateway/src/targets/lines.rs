//! Finding the first lines of requests in the bytes of a connection.

use memchr::{memchr, memchr3};

/// Longest name of a header that is told from others, and longest text of a length.
const LONGEST: usize = 32;

/// Where in a connection its next byte lies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// In the first line of a request, of which there were so many bytes, and which began so.
    Line(usize, [u8; 4]),
    /// In the name of a header, so far.
    Name(String),
    /// In what is left of a header's line that says nothing of the body.
    Rest,
    /// In the length of the body, as far as it was read.
    Length(String),
    /// In the body, which has so many bytes left.
    Body(u64),
    /// Beyond what can be told for sure: nothing is changed from here on.
    Anywhere,
}

const BEGIN: Place = Place::Line(0, [0; 4]);
const NEXT: Place = Place::Name(String::new());

/// The place that a connection has come to.
#[derive(Debug)]
pub(super) struct Lines {
    place: Place,
    /// The length of the request's body.
    length: Option<u64>,
}

impl Lines {
    pub(super) fn new() -> Self {
        Lines { place: BEGIN, length: None }
    }

    /// Goes over some of the next bytes, at least one; returns how many, and whether they are of a first line.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let line = |end: Option<usize>| end.map_or(bytes.len(), |end| end + 1);
        match &mut self.place {
            // Empty lines may stand before a request.
            Place::Line(0, _) if matches!(bytes[0], b'\r' | b'\n') => (1, false),
            Place::Line(at, begins) => {
                let end = memchr(b'\n', bytes);
                let passed = line(end);
                let missing = begins.len().saturating_sub(*at).min(passed);
                begins[*at..][..missing].copy_from_slice(&bytes[..missing]);
                *at = (*at + passed).min(begins.len());
                // Others than HTTP/1, and what becomes something else.
                if [b"PRI ", b"CONN"].contains(&&*begins) {
                    self.place = Place::Anywhere;
                    return (passed, false);
                }
                if end.is_some() {
                    self.place = NEXT;
                }
                (passed, true)
            }
            Place::Name(_) => (self.name(bytes), false),
            Place::Rest => {
                let end = memchr(b'\n', bytes);
                if end.is_some() {
                    self.place = NEXT;
                }
                (line(end), false)
            }
            Place::Length(digits) => {
                let end = memchr(b'\n', bytes);
                let passed = line(end);
                digits.extend(bytes[..passed].iter().map(|byte| char::from(*byte)));
                if digits.len() > LONGEST {
                    self.place = Place::Anywhere;
                } else if end.is_some() {
                    let digits = std::mem::take(digits);
                    self.place = self.measured(&digits);
                }
                (passed, false)
            }
            Place::Body(left) => {
                let passed = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= passed as u64;
                if *left == 0 {
                    self.place = BEGIN;
                }
                (passed, false)
            }
            Place::Anywhere => (bytes.len(), false),
        }
    }

    /// Goes over a header's name, or the end of the head.
    fn name(&mut self, bytes: &[u8]) -> usize {
        let Place::Name(name) = &mut self.place else { return 0 };
        for (at, byte) in bytes.iter().map(u8::to_ascii_lowercase).enumerate() {
            match byte {
                b'\r' if name.is_empty() => continue,
                b'\n' if name.is_empty() => self.place = self.behind(),
                b':' => self.place = self.named(),
                b'c' | b't' | b'u' | b'e' if name.is_empty() => {
                    name.push(char::from(byte));
                    continue;
                }
                // None of those that say something of the body.
                _ if name.is_empty() && is_of_a_name(byte) => self.place = Place::Rest,
                _ if is_of_a_name(byte) => {
                    if name.len() < LONGEST {
                        name.push(char::from(byte));
                    }
                    continue;
                }
                _ => self.place = Place::Anywhere,
            }
            return at + 1;
        }
        bytes.len()
    }

    /// What follows a header's name.
    fn named(&self) -> Place {
        let Place::Name(name) = &self.place else { return Place::Anywhere };
        match name.as_str() {
            "content-length" if self.length.is_none() => Place::Length(String::new()),
            "content-length" | "transfer-encoding" | "upgrade" | "expect" => Place::Anywhere,
            _ => Place::Rest,
        }
    }

    /// What follows the length of the body.
    fn measured(&mut self, digits: &str) -> Place {
        let digits = digits.trim_matches([' ', '\t', '\r', '\n']);
        let plain = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
        self.length = digits.parse().ok().filter(|_| plain);
        if self.length.is_some() { NEXT } else { Place::Anywhere }
    }

    /// What follows the head of a request.
    fn behind(&mut self) -> Place {
        match self.length.take() {
            None | Some(0) => BEGIN,
            Some(length) => Place::Body(length),
        }
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Bytes as they are given on; `None` if that is as they are.
pub(super) fn encoded(lines: &mut Lines, bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut out): (usize, Option<Vec<u8>>) = (0, None);
    while at < bytes.len() {
        let (passed, of_line) = lines.pass(&bytes[at..]);
        let part = &bytes[at..at + passed];
        if of_line && memchr3(b'"', b'<', b'>', part).is_some() {
            let out = out.get_or_insert_with(|| bytes[..at].to_vec());
            for byte in part {
                match byte {
                    b'"' | b'<' | b'>' => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                    _ => out.push(*byte),
                }
            }
        } else if let Some(out) = &mut out {
            out.extend_from_slice(part);
        }
        at += passed;
    }
    out
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
        let head = "Host: \"a\"\r\nC-\"<>: \"\r\n\r\n";
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
