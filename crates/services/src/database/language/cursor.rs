//! A place in a text that is being parsed.

use truststream_kernel::{Error, ErrorKind, Result};

/// Reads a text from left to right.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    what: &'static str,
    text: &'t str,
    at: usize,
    /// Characters before the text that columns in errors count as well.
    before: usize,
}

impl<'t> Cursor<'t> {
    /// A cursor at the beginning of a text; `what` names it in errors.
    pub(super) fn new(what: &'static str, text: &'t str) -> Self {
        Cursor { what, text, at: 0, before: 0 }
    }

    /// The same cursor, for a text that stands behind so many characters.
    pub(super) fn behind(self, characters: usize) -> Self {
        Cursor { before: characters, ..self }
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn is_done(&self) -> bool {
        self.at == self.text.len()
    }

    /// Passes over a text if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let comes = self.rest().starts_with(text);
        if comes {
            self.at += text.len();
        }
        comes
    }

    /// Passes over what fits and returns it.
    pub(super) fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Passes over a name of nothing but ASCII letters, digits and `_`, as most are, and returns it;
    /// `None` where none comes or it may go on with other characters.
    pub(super) fn take_plain(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let end = rest.bytes().position(|byte| !plain(&byte)).unwrap_or(rest.len());
        let goes_on = match rest.as_bytes().get(end) {
            Some(byte) => matches!(byte, b' ' | b'$' | b'-') || !byte.is_ascii(),
            None => false,
        };
        if end == 0 || goes_on {
            return None;
        }
        self.at += end;
        Some(&rest[..end])
    }

    pub(super) fn take_rest(&mut self) -> &'t str {
        let rest = self.rest();
        self.at = self.text.len();
        rest
    }

    /// A double-quoted text: `\` takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        if !self.take("\"") {
            return Err(self.expected("\"\\\"\""));
        }
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.next().ok_or_else(|| self.expected("any character"))?),
                Some(c) => text.push(c),
                None => return Err(self.expected("\"\\\"\"")),
            }
        }
    }

    /// Fails unless the text ends here.
    pub(super) fn end(&self, expected: &str) -> Result<()> {
        if self.is_done() { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// An error that names the limit a text goes beyond (PGRST100).
    pub(super) fn beyond(&self, limit: usize, what: &str) -> Error {
        let message = format!("the {} goes beyond a limit: at most {limit} {what}", self.what);
        Error::new(ErrorKind::InvalidInput, "PGRST100", message)
    }

    /// An error that says what came and what was expected, as PostgREST's parser does (PGRST100).
    pub(super) fn expected(&self, expected: &str) -> Error {
        let found = match self.peek() {
            // PostgREST shows a character where the end was possible, a text elsewhere.
            Some(c) if expected.ends_with("end of input") => format!("unexpected {c:?}"),
            Some(c) => format!("unexpected {:?}", c.to_string()),
            None => "unexpected end of input".to_owned(),
        };
        let column = self.before + self.text[..self.at].chars().count() + 1;
        let message = format!("\"failed to parse {} ({})\" (line 1, column {column})", self.what, self.text);
        Error::new(ErrorKind::InvalidInput, "PGRST100", message)
            .with_details(format!("{found} expecting {expected}"))
    }
}
