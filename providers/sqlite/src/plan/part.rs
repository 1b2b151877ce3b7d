//! What items of a `select` list give.

use truststream_kernel::Type;
use truststream_services::database::Aggregate;

use super::field::Term;
use super::represented::Key;

/// What one item of a `select` list gives for each row, or for each group of rows.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) term: Term,
    /// What is made of the values of a group; those without it are what groups have in common.
    pub(super) aggregate: Option<Aggregate>,
    /// What groups have in common, where that is not the term.
    pub(super) key: Option<Key>,
}

impl Part {
    /// One that is what it shows.
    pub(super) fn new(name: String, term: Term, aggregate: Option<Aggregate>) -> Self {
        Part { name, term, aggregate, key: None }
    }
}

/// What is counted where rows are.
pub(super) fn counted() -> Term {
    Term { sql: "1".to_owned(), ty: Type::Int8 }
}
