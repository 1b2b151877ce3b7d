//! What items of a `select` list give.

use truststream_kernel::Type;
use truststream_services::database::{Aggregate, Field, Table, TableKind};

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
    /// What it takes of the row itself; `None` of what embeds add.
    pub(super) origin: Option<Origin>,
}

/// What an item takes of a row itself.
pub(super) struct Origin {
    pub(super) field: Field,
    /// Whether PostgREST names it, and groups by the name: to PostgreSQL a column of that name first.
    pub(super) named: bool,
    /// Whether a cast makes something else of it.
    pub(super) converted: bool,
}

impl Part {
    /// One that is what it shows.
    pub(super) fn new(name: String, term: Term, aggregate: Option<Aggregate>) -> Self {
        Part { name, term, aggregate, key: None, origin: None }
    }

    /// The column that PostgreSQL groups by instead: one of the table that is called as this is.
    pub(super) fn meant<'t>(&self, table: &'t Table) -> Option<&'t str> {
        let named = self.origin.as_ref().is_some_and(|origin| origin.named) && self.key.is_none();
        table.column(&self.name).filter(|_| named).map(|column| column.name.as_str())
    }
}

/// What groups have in common of a row's own: nothing else of it is shown or ordered by. A path is no such
/// thing, for PostgREST binds its keys, and to PostgreSQL what is bound twice need not be the same.
pub(super) struct Keys {
    columns: Vec<String>,
    /// Whether each group is one row, told by its primary key.
    whole: bool,
}

impl Keys {
    /// `stored` rows lie in a table with a key.
    pub(super) fn of(table: &Table, parts: &[Part], stored: bool) -> Self {
        let mut columns = Vec::new();
        for part in parts.iter().filter(|part| part.aggregate.is_none()) {
            match (part.meant(table), &part.origin) {
                (Some(column), _) => columns.push(column.to_owned()),
                (None, Some(origin)) if !origin.converted && origin.field.path.is_empty() => {
                    columns.push(origin.field.name.clone());
                }
                _ => {}
            }
        }
        let key = &table.primary_key;
        let is_known = |column: &String| columns.contains(column);
        let whole = stored && table.kind == TableKind::Table && !key.is_empty() && key.iter().all(is_known);
        Keys { columns, whole }
    }

    /// Whether a field is the same for all rows of a group.
    pub(super) fn have(&self, field: &Field) -> bool {
        self.whole || self.columns.contains(&field.name)
    }
}

/// What is counted where rows are.
pub(super) fn counted() -> Term {
    Term { sql: "1".to_owned(), ty: Type::Int8 }
}
