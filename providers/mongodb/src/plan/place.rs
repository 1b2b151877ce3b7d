//! Where the columns of a table are in the documents at hand.

use truststream_services::database::{Column, Table, TableKind, TableName};

use crate::names::{field, sought};
use crate::term::Term;

/// A table whose rows are the documents at hand, or stand in one of their fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) table: TableName,
    /// What leads to the row: nothing, or a field and a dot.
    prefix: String,
}

impl Place {
    /// The documents are rows of the table.
    pub(crate) fn of(table: &TableName) -> Self {
        Place { table: table.clone(), prefix: String::new() }
    }

    /// A field of the documents has the row.
    pub(crate) fn within(table: &TableName, name: &str) -> Self {
        Place { table: table.clone(), prefix: format!("{name}.") }
    }

    /// The field that has the row, where it is not the document.
    pub(crate) fn row(&self) -> Option<String> {
        self.prefix.strip_suffix('.').map(str::to_owned)
    }

    pub(crate) fn is_top(&self) -> bool {
        self.prefix.is_empty()
    }

    /// What a column is stored as.
    pub(crate) fn path(&self, column: &str) -> String {
        format!("${}{}", self.prefix, field(column))
    }

    /// The value of a column.
    pub(crate) fn term(&self, column: &Column) -> Term {
        Term::stored(self.path(&column.name), column.ty.clone())
    }

    /// Where a column is found soonest.
    pub(crate) fn sought(&self, table: &Table, column: &str) -> String {
        match table.kind {
            TableKind::Table if self.is_top() => sought(table, column),
            _ => format!("{}{}", self.prefix, field(column)),
        }
    }
}
