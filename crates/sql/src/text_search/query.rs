//! Conditions on documents.

use truststream_kernel::value::tsvector::Vector;

/// A condition as `tsquery` holds it; nothing matches no document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(pub(super) Option<Node>);

/// A part of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Lexeme {
        text: String,
        prefix: bool,
        /// Bits of the weights it may have; 0 is any.
        weights: u8,
    },
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// The right one so many positions behind the left one.
    Phrase(Box<Node>, Box<Node>, i32),
}

/// Where a part of a phrase ends in a document.
struct Places {
    positions: Vec<i32>,
    /// Everywhere but there.
    negated: bool,
    /// Positions from its first word to its last.
    width: i32,
}

impl Query {
    /// `@@`
    pub fn matches(&self, document: &Vector) -> bool {
        self.0.as_ref().is_some_and(|node| holds(node, document))
    }
}

fn holds(node: &Node, document: &Vector) -> bool {
    match node {
        Node::Lexeme { text, prefix, weights } => found(document, text, *prefix, *weights),
        Node::Not(inner) => !holds(inner, document),
        Node::And(left, right) => holds(left, document) && holds(right, document),
        Node::Or(left, right) => holds(left, document) || holds(right, document),
        Node::Phrase(..) => {
            let places = places(node, document);
            places.negated || !places.positions.is_empty()
        }
    }
}

/// The lexemes of a document that are meant, with their places.
fn meant<'d>(
    document: &'d Vector,
    text: &'d str,
    prefix: bool,
) -> impl Iterator<Item = &'d Vec<(u16, u8)>> + 'd {
    document
        .lexemes
        .range(text.to_owned()..)
        .take_while(move |(lexeme, _)| if prefix { lexeme.starts_with(text) } else { *lexeme == text })
        .map(|(_, places)| places)
}

fn found(document: &Vector, text: &str, prefix: bool, weights: u8) -> bool {
    meant(document, text, prefix)
        .any(|places| weights == 0 || places.iter().any(|(_, weight)| weights >> weight & 1 == 1))
}

fn places(node: &Node, document: &Vector) -> Places {
    match node {
        Node::Lexeme { text, prefix, weights } => {
            let mut positions: Vec<i32> = meant(document, text, *prefix)
                .flatten()
                .filter(|(_, weight)| *weights == 0 || weights >> weight & 1 == 1)
                .map(|(position, _)| i32::from(*position))
                .collect();
            positions.sort_unstable();
            positions.dedup();
            Places { positions, negated: false, width: 0 }
        }
        Node::Not(inner) => {
            let inner = places(inner, document);
            Places { negated: !inner.negated, ..inner }
        }
        Node::Phrase(left, right, distance) => {
            let (left, right) = (places(left, document), places(right, document));
            let width = distance + left.width + right.width;
            both(left.moved(distance + right.width), right, width)
        }
        Node::And(left, right) => {
            let (left, right) = aligned(places(left, document), places(right, document));
            let width = left.width;
            both(left, right, width)
        }
        Node::Or(left, right) => {
            let (left, right) = aligned(places(left, document), places(right, document));
            let width = left.width;
            let (left, right) = (left.flipped(), right.flipped());
            both(left, right, width).flipped()
        }
    }
}

fn aligned(left: Places, right: Places) -> (Places, Places) {
    let width = left.width.max(right.width);
    let (by, other) = (width - left.width, width - right.width);
    (Places { width, ..left.moved(by) }, Places { width, ..right.moved(other) })
}

/// Where both end.
fn both(left: Places, right: Places, width: i32) -> Places {
    let (one, other) = (left.positions, right.positions);
    let without = |all: Vec<i32>, gone: &[i32]| all.into_iter().filter(|at| !gone.contains(at)).collect();
    let (positions, negated) = match (left.negated, right.negated) {
        (true, true) => {
            let mut union = one;
            union.extend(other);
            union.sort_unstable();
            union.dedup();
            (union, true)
        }
        (true, false) => (without(other, &one), false),
        (false, true) => (without(one, &other), false),
        (false, false) => (one.into_iter().filter(|at| other.binary_search(at).is_ok()).collect(), false),
    };
    Places { positions, negated, width }
}

impl Places {
    fn moved(mut self, by: i32) -> Self {
        self.positions.iter_mut().for_each(|position| *position += by);
        self
    }

    fn flipped(self) -> Self {
        Places { negated: !self.negated, ..self }
    }
}
