//! Documents and conditions as an index of words has them, which knows the words of each document but
//! neither their places nor their weights: in the words of SQLite's FTS5
//! (<https://www.sqlite.org/fts5.html>), cut by its tokenizer `ascii` with `_` as one more token character.

use truststream_kernel::value::tsvector::Vector;

use super::Query;
use super::query::Node;

/// An expression that no document meets: no word becomes this token.
pub const NOTHING: &str = "\"_\"";

/// Words that an expression has at most. What is needed besides is left to who looks at the document.
const MOST: usize = 64;
/// Levels of an expression.
const DEEPEST: usize = 16;

/// The words of a document as tokens.
pub fn tokens(document: &Vector) -> String {
    let mut out = String::new();
    for lexeme in document.lexemes.keys() {
        if !out.is_empty() {
            out.push(' ');
        }
        push_token(&mut out, lexeme);
    }
    out
}

/// Writes a word so that the tokenizer neither cuts nor folds it, other words become other tokens, and
/// the beginning of a word becomes the beginning of its token.
fn push_token(out: &mut String, word: &str) {
    for sign in word.chars() {
        match sign {
            'a'..='z' | '0'..='9' => out.push(sign),
            _ if !sign.is_ascii() => out.push(sign),
            _ => out.push_str(&format!("_{:02x}", u32::from(sign))),
        }
    }
}

/// What every document has that a part of a condition matches.
struct Needed {
    expression: String,
    words: usize,
}

impl Query {
    /// An expression that every document meets which the condition matches; others may meet it too.
    /// `None` where any document may match, as with `!cat`.
    pub fn needed(&self) -> Option<String> {
        match &self.0 {
            None => Some(NOTHING.to_owned()),
            Some(node) => needed(node, 0).map(|needed| needed.expression),
        }
    }
}

fn needed(node: &Node, depth: usize) -> Option<Needed> {
    if depth > DEEPEST {
        return None;
    }
    match node {
        Node::Lexeme { text, .. } if text.is_empty() => None,
        Node::Lexeme { text, prefix, .. } => {
            let mut expression = String::from("\"");
            push_token(&mut expression, text);
            expression.push_str(if *prefix { "\" *" } else { "\"" });
            Some(Needed { expression, words: 1 })
        }
        // That something is missing says nothing of what there is.
        Node::Not(_) => None,
        // A phrase has the words that it does not exclude.
        Node::And(..) | Node::Phrase(..) => {
            let mut all = Vec::new();
            conjuncts(node, &mut all);
            let mut left = MOST;
            let parts = all.into_iter().filter_map(|part| {
                let part = needed(part, depth + 1)?;
                left = left.checked_sub(part.words)?;
                Some(part)
            });
            joined(parts.collect(), " AND ")
        }
        Node::Or(..) => {
            let mut any = Vec::new();
            alternatives(node, &mut any);
            let parts: Option<Vec<Needed>> = any.into_iter().map(|part| needed(part, depth + 1)).collect();
            let words = |parts: &Vec<Needed>| parts.iter().map(|part| part.words).sum::<usize>();
            joined(parts.filter(|parts| words(parts) <= MOST)?, " OR ")
        }
    }
}

fn conjuncts<'n>(node: &'n Node, all: &mut Vec<&'n Node>) {
    match node {
        Node::And(left, right) | Node::Phrase(left, right, _) => {
            conjuncts(left, all);
            conjuncts(right, all);
        }
        other => all.push(other),
    }
}

fn alternatives<'n>(node: &'n Node, any: &mut Vec<&'n Node>) {
    match node {
        Node::Or(left, right) => {
            alternatives(left, any);
            alternatives(right, any);
        }
        other => any.push(other),
    }
}

fn joined(parts: Vec<Needed>, word: &str) -> Option<Needed> {
    let words = parts.iter().map(|part| part.words).sum();
    let expressions: Vec<String> = parts.into_iter().map(|part| part.expression).collect();
    match expressions.as_slice() {
        [] => None,
        [one] => Some(Needed { expression: one.clone(), words }),
        several => Some(Needed { expression: format!("({})", several.join(word)), words }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Configuration;
    use super::*;

    fn asked(text: &str) -> Option<String> {
        Query::raw(&Configuration::named(Some("simple")).unwrap(), text).unwrap().needed()
    }

    #[test]
    fn what_every_match_has_is_needed() {
        for (text, wanted) in [
            ("fat", Some("\"fat\"")),
            ("fat:*", Some("\"fat\" *")),
            ("fat:A & rat", Some("(\"fat\" AND \"rat\")")),
            ("fat & !rat", Some("\"fat\"")),
            ("!fat", None),
            ("fat | rat", Some("(\"fat\" OR \"rat\")")),
            ("fat | !rat", None),
            ("!(fat | rat) & (cat | dog)", Some("(\"cat\" OR \"dog\")")),
            ("fat <-> !rat <2> cat", Some("(\"fat\" AND \"cat\")")),
            ("", Some(NOTHING)),
        ] {
            assert_eq!(asked(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn expressions_stay_small() {
        let words = |count: usize| (0..count).map(|at| format!("w{at}")).collect::<Vec<_>>();
        let all = asked(&words(1_000).join(" & ")).unwrap();
        assert_eq!(all.matches("\"w").count(), MOST);
        assert_eq!(asked(&words(MOST + 1).join(" | ")), None);
        let deep = (0..100).fold("x".to_owned(), |inner, at| format!("(a{at} | (b{at} & {inner}))"));
        assert!(asked(&deep).unwrap().matches('(').count() <= DEEPEST, "{deep}");
    }

    #[test]
    fn tokens_are_whole_and_told_apart() {
        let document = Vector::parse("'a b' 'A' 'a_b' 'é' 'x.org/y' 'it''s'").unwrap();
        assert_eq!(tokens(&document), "_41 a_20b a_5fb it_27s x_2eorg_2fy é");
    }
}
