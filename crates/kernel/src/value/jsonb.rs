//! `json` is kept as written; `jsonb` in one normal form, which is made here.

use serde::de::IgnoredAny;

use super::json_lexer::{Kind, Lexer, Token, invalid, unescape};
use super::{decimal, json};
use crate::{Error, ErrorKind, Result};

/// Deepest nesting that is taken.
const MAX_DEPTH: usize = 1_000;

/// Checks that a text is JSON, as `json` requires.
///
/// # Errors
/// `invalid input syntax for type json` (22P02) with PostgreSQL's detail.
pub fn validate(text: &str) -> Result<()> {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Ok(());
    }
    // Only for the words of the error; strings that `json` takes though they mean no text pass.
    Reader::read(text).map(|_| ())
}

/// The normal form in which `jsonb` prints a JSON text: keys ordered by length, then by bytes, the
/// last of equal keys kept, numbers exact, `, ` and `: ` between.
///
/// # Errors
/// `invalid input syntax for type json` (22P02) with PostgreSQL's detail; numbers and characters
/// that `jsonb` can't hold.
pub fn normalize(text: &str) -> Result<String> {
    let node = Reader::read(text)?;
    let mut out = String::with_capacity(text.len());
    write(&node, &mut out)?;
    Ok(out)
}

enum Node<'a> {
    /// A number, a string or a word.
    Scalar(Token<'a>),
    Array(Vec<Node<'a>>),
    Object(Vec<(&'a str, Node<'a>)>),
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn read(text: &'a str) -> Result<Node<'a>> {
        let mut reader = Reader { lexer: Lexer::new(text)?, depth: 0 };
        let node = reader.value("JSON value")?;
        match reader.lexer.token.kind {
            Kind::End => Ok(node),
            _ => Err(reader.lexer.expected("end of input")),
        }
    }

    fn value(&mut self, wanted: &str) -> Result<Node<'a>> {
        match self.lexer.token.kind {
            Kind::Punctuation(b'{') => self.nested(Self::object),
            Kind::Punctuation(b'[') => self.nested(Self::array),
            Kind::Punctuation(_) | Kind::End => Err(self.lexer.expected(wanted)),
            _ => Ok(Node::Scalar(self.lexer.take()?)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Node<'a>>) -> Result<Node<'a>> {
        if self.depth == MAX_DEPTH {
            return Err(Error::new(ErrorKind::TooLarge, "54001", "stack depth limit exceeded"));
        }
        self.depth += 1;
        self.lexer.take()?;
        let node = read(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn array(&mut self) -> Result<Node<'a>> {
        let mut elements = Vec::new();
        if self.lexer.skip(b']')? {
            return Ok(Node::Array(elements));
        }
        let mut wanted = "array element or \"]\"";
        loop {
            elements.push(self.value(wanted)?);
            wanted = "JSON value";
            if self.lexer.skip(b']')? {
                return Ok(Node::Array(elements));
            }
            if !self.lexer.skip(b',')? {
                return Err(self.lexer.expected("\",\" or \"]\""));
            }
        }
    }

    fn object(&mut self) -> Result<Node<'a>> {
        let mut members = Vec::new();
        if self.lexer.skip(b'}')? {
            return Ok(Node::Object(members));
        }
        let mut wanted = "string or \"}\"";
        loop {
            if self.lexer.token.kind != Kind::String {
                return Err(self.lexer.expected(wanted));
            }
            wanted = "string";
            let key = self.lexer.take()?.text;
            if !self.lexer.skip(b':')? {
                return Err(self.lexer.expected("\":\""));
            }
            members.push((key, self.value("JSON value")?));
            if self.lexer.skip(b'}')? {
                return Ok(Node::Object(members));
            }
            if !self.lexer.skip(b',')? {
                return Err(self.lexer.expected("\",\" or \"}\""));
            }
        }
    }
}

fn write(node: &Node<'_>, out: &mut String) -> Result<()> {
    match node {
        Node::Scalar(Token { kind: Kind::String, text }) => json::push_string(out, &unescape(text)?),
        Node::Scalar(Token { kind: Kind::Number, text }) => out.push_str(&decimal::canonical(text)?),
        Node::Scalar(Token { text, .. }) => out.push_str(text),
        Node::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(element, out)?;
            }
            out.push(']');
        }
        Node::Object(members) => write_object(members, out)?,
    }
    Ok(())
}

fn write_object(members: &[(&str, Node<'_>)], out: &mut String) -> Result<()> {
    let mut sorted = Vec::with_capacity(members.len());
    for (key, node) in members {
        let key = unescape(key)?;
        if key.len() > 0x0FFF_FFFF {
            return Err(invalid("Object key is too long."));
        }
        sorted.push((key, node));
    }
    // The sort is stable, so that the last of equal keys stays last.
    sorted.sort_by(|(left, _), (right, _)| (left.len(), left).cmp(&(right.len(), right)));
    out.push('{');
    let mut first = true;
    for (index, (key, node)) in sorted.iter().enumerate() {
        if sorted.get(index + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push_str(", ");
        }
        json::push_string(out, key);
        out.push_str(": ");
        write(node, out)?;
    }
    out.push('}');
    Ok(())
}
