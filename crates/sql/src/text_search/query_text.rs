//! Conditions from texts: `to_tsquery`, `plainto_tsquery`, `phraseto_tsquery`,
//! `websearch_to_tsquery`, and `tsquery`'s own text.

use truststream_kernel::value::tsvector::{lexeme, quoted};
use truststream_kernel::{Error, ErrorKind, Result};

use super::query::Node;
use super::{Configuration, Query};

/// Deepest nesting of parentheses and negations.
const DEEPEST: usize = 256;
/// Longest distance between the words of a phrase.
const FARTHEST: i32 = 16_384;

/// A condition while stop words are still in it.
type Raw = Option<Node>;

/// How words of one operand belong together.
type Join = fn(Node, Node, i32) -> Node;

fn conjunction(left: Node, right: Node, _: i32) -> Node {
    Node::And(Box::new(left), Box::new(right))
}

fn phrase(left: Node, right: Node, distance: i32) -> Node {
    Node::Phrase(Box::new(left), Box::new(right), distance)
}

impl Query {
    /// `plainto_tsquery`: all words.
    pub fn plain(configuration: &Configuration, text: &str) -> Self {
        Query(words(configuration, text, conjunction, (false, 0)))
    }

    /// `phraseto_tsquery`: all words in their order.
    pub fn phrase(configuration: &Configuration, text: &str) -> Self {
        Query(words(configuration, text, phrase, (false, 0)))
    }

    /// `to_tsquery`: words with `&`, `|`, `!`, `<->` and parentheses.
    ///
    /// # Errors
    /// 42601 for what is no condition.
    pub fn raw(configuration: &Configuration, text: &str) -> Result<Self> {
        let operand = |word: &str, flags| words(configuration, word, phrase, flags);
        Reader { text, rest: text, operand: &operand, depth: 0 }.whole()
    }

    /// `tsquery`'s own text, whose words are lexemes already.
    ///
    /// # Errors
    /// 42601 for what is no condition.
    pub fn parse(text: &str) -> Result<Self> {
        let operand =
            |word: &str, (prefix, weights)| Some(Node::Lexeme { text: word.to_owned(), prefix, weights });
        Reader { text, rest: text, operand: &operand, depth: 0 }.whole()
    }

    /// `websearch_to_tsquery`: words, `"phrases"`, `or` and `-`; nothing is an error.
    pub fn websearch(configuration: &Configuration, text: &str) -> Self {
        let mut alternatives: Vec<Vec<Node>> = vec![Vec::new()];
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let negated = first == '-' && rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == '"');
            let body = if negated { &rest[1..] } else { rest };
            let (node, left) = if let Some(quoted) = body.strip_prefix('"') {
                let (inside, left) = quoted.split_once('"').unwrap_or((quoted, ""));
                (words(configuration, inside, phrase, (false, 0)), left)
            } else if body.starts_with(char::is_whitespace) {
                rest = body.trim_start();
                continue;
            } else {
                let end = body.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(body.len());
                let (word, left) = body.split_at(end);
                let between = alternatives.last().is_some_and(|last| !last.is_empty());
                if word.eq_ignore_ascii_case("or") && between && !negated && !left.trim().is_empty() {
                    alternatives.push(Vec::new());
                    rest = left;
                    continue;
                }
                (words(configuration, word, phrase, (false, 0)), left)
            };
            if let (Some(node), Some(last)) = (node, alternatives.last_mut()) {
                last.push(if negated { Node::Not(Box::new(node)) } else { node });
            }
            rest = left;
        }
        let all = alternatives.into_iter().filter_map(|nodes| {
            nodes.into_iter().reduce(|left, right| Node::And(Box::new(left), Box::new(right)))
        });
        Query(all.reduce(|left, right| Node::Or(Box::new(left), Box::new(right))))
    }

    /// PostgreSQL's text of it, which [`Query::parse`] reads.
    pub fn to_text(&self) -> String {
        self.0.as_ref().map(|node| shown(node, 0)).unwrap_or_default()
    }
}

/// The words of a text joined; what is left out between two words of a phrase keeps them apart.
fn words(configuration: &Configuration, text: &str, join: Join, (prefix, weights): (bool, u8)) -> Raw {
    let (lexemes, _) = configuration.lexemes(text);
    let mut whole: Option<(Node, usize)> = None;
    for lexeme in lexemes {
        let node = Node::Lexeme { text: lexeme.text, prefix, weights };
        whole = Some(match whole {
            None => (node, lexeme.position),
            Some((left, before)) => {
                let distance = i32::try_from(lexeme.position - before).unwrap_or(FARTHEST);
                (join(left, node, distance), lexeme.position)
            }
        });
    }
    whole.map(|(node, _)| node)
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    operand: &'t dyn Fn(&str, (bool, u8)) -> Raw,
    depth: usize,
}

impl Reader<'_> {
    fn whole(mut self) -> Result<Query> {
        self.skip();
        if self.rest.is_empty() {
            return Ok(Query(None));
        }
        let node = self.alternatives()?;
        if self.rest.is_empty() { Ok(Query(node)) } else { Err(self.fault()) }
    }

    fn fault(&self) -> Error {
        let message = format!("syntax error in tsquery: \"{}\"", self.text);
        Error::new(ErrorKind::InvalidInput, "42601", message)
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, sign: char) -> bool {
        self.skip();
        let taken = self.rest.starts_with(sign);
        if taken {
            self.rest = &self.rest[sign.len_utf8()..];
            self.skip();
        }
        taken
    }

    fn alternatives(&mut self) -> Result<Raw> {
        let mut left = self.all()?;
        while self.take('|') {
            let right = self.all()?;
            left = either(left, right, |left, right| Node::Or(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Raw> {
        let mut left = self.phrases()?;
        while self.take('&') {
            let right = self.phrases()?;
            left = either(left, right, |left, right| conjunction(left, right, 1));
        }
        Ok(left)
    }

    fn phrases(&mut self) -> Result<Raw> {
        let mut left = self.negated()?;
        while let Some(distance) = self.distance()? {
            let right = self.negated()?;
            left = either(left, right, |left, right| phrase(left, right, distance));
        }
        Ok(left)
    }

    /// `<->`, `<3>`
    fn distance(&mut self) -> Result<Option<i32>> {
        self.skip();
        let Some(inside) = self.rest.strip_prefix('<') else { return Ok(None) };
        let (number, rest) = inside.split_once('>').ok_or_else(|| self.fault())?;
        let distance = if number == "-" { 1 } else { number.parse().map_err(|_| self.fault())? };
        if !(0..=FARTHEST).contains(&distance) {
            let message =
                "distance in phrase operator must be an integer value between zero and 16384 inclusive";
            return Err(Error::new(ErrorKind::InvalidInput, "22023", message));
        }
        self.rest = rest;
        Ok(Some(distance))
    }

    fn negated(&mut self) -> Result<Raw> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::new(ErrorKind::TooLarge, "54001", "stack depth limit exceeded"));
        }
        let node = if self.take('!') {
            self.negated()?.map(|inner| Node::Not(Box::new(inner)))
        } else if self.take('(') {
            let inner = self.alternatives()?;
            if !self.take(')') {
                return Err(self.fault());
            }
            inner
        } else {
            self.word()?
        };
        self.depth -= 1;
        self.skip();
        Ok(node)
    }

    fn word(&mut self) -> Result<Raw> {
        let word = lexeme(&mut self.rest, "!&|()<:").ok_or_else(|| self.fault())?;
        if word.is_empty() {
            return Err(self.fault());
        }
        let (mut prefix, mut weights) = (false, 0);
        if let Some(flags) = self.rest.strip_prefix(':') {
            let end = flags.find(|c: char| !"*abcdABCD".contains(c)).unwrap_or(flags.len());
            for flag in flags[..end].chars() {
                match flag.to_ascii_lowercase() {
                    '*' => prefix = true,
                    letter => weights |= 1 << (b'd' - letter as u8),
                }
            }
            self.rest = &flags[end..];
        }
        Ok((self.operand)(&word, (prefix, weights)))
    }
}

/// Both joined; where one is left out, the other.
fn either(left: Raw, right: Raw, join: impl FnOnce(Node, Node) -> Node) -> Raw {
    match (left, right) {
        (Some(left), Some(right)) => Some(join(left, right)),
        (left, right) => left.or(right),
    }
}

fn shown(node: &Node, outer: u8) -> String {
    let (text, strength) = match node {
        Node::Lexeme { text, prefix, weights } => {
            let mut flags = String::from(if *prefix { "*" } else { "" });
            for (bit, letter) in [(3, 'A'), (2, 'B'), (1, 'C'), (0, 'D')] {
                if weights >> bit & 1 == 1 {
                    flags.push(letter);
                }
            }
            let colon = if flags.is_empty() { "" } else { ":" };
            (format!("{}{colon}{flags}", quoted(text)), 5)
        }
        Node::Not(inner) => (format!("!{}", shown(inner, 4)), 4),
        Node::Phrase(left, right, distance) => {
            let sign = if *distance == 1 { "<->".to_owned() } else { format!("<{distance}>") };
            (format!("{} {sign} {}", shown(left, 3), shown(right, 4)), 3)
        }
        Node::And(left, right) => (format!("{} & {}", shown(left, 2), shown(right, 2)), 2),
        Node::Or(left, right) => (format!("{} | {}", shown(left, 1), shown(right, 1)), 1),
    };
    if strength < outer { format!("( {text} )") } else { text }
}
