//! What column names mean: innermost sub-select first.

use sqlparser::ast::Ident;
use truststream_kernel::Type;
use truststream_services::database::{Table, TableName};

use super::caseless::compared_type;
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
    /// The table that it is.
    pub(crate) table: Option<TableName>,
    /// What qualifies its columns in the result.
    pub(crate) alias: Option<String>,
    pub(crate) columns: Vec<(String, Type)>,
    /// What its columns are in the result, if they are not columns there.
    pub(crate) cells: Option<Vec<String>>,
    /// The query that its rows come from, where the result does not name it.
    pub(crate) rows: Option<String>,
    /// Columns that a join made one with those of the other side.
    pub(crate) merged: Vec<String>,
}

impl Relation {
    /// Columns under a name.
    pub(crate) fn new(name: impl Into<String>, columns: Vec<(String, Type)>) -> Self {
        let (schema, table, alias, cells, rows, merged) = (None, None, None, None, None, Vec::new());
        Relation { name: name.into(), schema, table, alias, columns, cells, rows, merged }
    }

    /// The columns of a table under its own name.
    pub(crate) fn of_table(name: &TableName, table: &Table) -> Self {
        let columns =
            table.columns.iter().map(|column| (column.name.clone(), compared_type(column))).collect();
        let relation = Relation::new(name.name.clone(), columns);
        Relation { schema: Some(name.schema.clone()), table: Some(name.clone()), ..relation }
    }

    /// The same, called otherwise in the result.
    pub(crate) fn aliased(self, alias: impl Into<String>) -> Self {
        Relation { alias: Some(alias.into()), ..self }
    }

    fn term(&self, at: usize) -> Term {
        let (column, ty) = &self.columns[at];
        let quoted = quote(column);
        let sql = match (&self.cells, &self.alias) {
            (Some(cells), _) => cells[at].clone(),
            (None, Some(alias)) => format!("{}.{quoted}", quote(alias)),
            (None, None) => quoted,
        };
        Term::new(sql, ty.clone())
    }

    /// All its columns.
    pub(crate) fn terms(&self) -> Vec<(String, Term)> {
        (0..self.columns.len()).map(|at| (self.columns[at].0.clone(), self.term(at))).collect()
    }

    /// Those of its columns that a bare `*` shows.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (String, Term)> + '_ {
        self.terms().into_iter().filter(|(name, _)| !self.merged.contains(name))
    }

    pub(crate) fn is_called(&self, schema: Option<&str>, name: &str) -> bool {
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
            let merged = qualifier.is_none() && relation.merged.contains(column);
            let same = move |at: &usize| !merged && relation.columns[*at].0 == *column;
            (0..relation.columns.len()).filter(same).map(|at| relation.term(at))
        });
        match (found.next(), found.next()) {
            (Some(term), None) => return Ok(term),
            (Some(_), Some(_)) => return Err(Unsupported::new(shown(), "this column name is ambiguous")),
            (None, _) => {}
        }
    }
    Err(Unsupported::new(shown(), "there is no such column"))
}
