//! What column names mean: innermost sub-select first.

use sqlparser::ast::Ident;
use truststream_kernel::Type;

use super::{Term, Unsupported};
use crate::quote::quote;
use crate::schema::ident;

/// Something columns come from, in one level of a query.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    /// The name that qualifies its columns in PostgreSQL's text.
    pub(crate) name: String,
    /// The schema, for tables without an alias.
    pub(crate) schema: Option<String>,
    /// What qualifies its columns in the result.
    pub(crate) alias: Option<String>,
    pub(crate) columns: Vec<(String, Type)>,
}

impl Relation {
    fn term(&self, column: &str, ty: &Type) -> Term {
        let column = quote(column);
        let sql = match &self.alias {
            Some(alias) => format!("{}.{column}", quote(alias)),
            None => column,
        };
        Term::new(sql, ty.clone())
    }

    /// All its columns.
    pub(crate) fn terms(&self) -> Vec<(String, Term)> {
        self.columns.iter().map(|(name, ty)| (name.clone(), self.term(name, ty))).collect()
    }

    fn is_called(&self, schema: Option<&str>, name: &str) -> bool {
        self.name == name && schema.is_none_or(|schema| self.schema.as_deref() == Some(schema))
    }
}

/// The column that a dotted name means.
pub(crate) fn column(levels: &[Vec<Relation>], names: &[Ident]) -> Result<Term, Unsupported> {
    let names: Vec<String> = names.iter().map(ident).collect();
    let shown = || names.join(".");
    let (qualifier, column) = match names.as_slice() {
        [column] => (None, column),
        [table, column] => (Some((None, table.as_str())), column),
        [schema, table, column] => (Some((Some(schema.as_str()), table.as_str())), column),
        _ => return Err(Unsupported::new(shown(), "no column is named like this")),
    };
    for level in levels.iter().rev() {
        let fits =
            |relation: &&Relation| qualifier.is_none_or(|(schema, name)| relation.is_called(schema, name));
        let mut found = level.iter().filter(fits).flat_map(|relation| {
            let same = relation.columns.iter().filter(|(name, _)| name == column);
            same.map(|(name, ty)| relation.term(name, ty))
        });
        match (found.next(), found.next()) {
            (Some(term), None) => return Ok(term),
            (Some(_), Some(_)) => return Err(Unsupported::new(shown(), "this column name is ambiguous")),
            (None, _) => {}
        }
    }
    Err(Unsupported::new(shown(), "there is no such column"))
}
