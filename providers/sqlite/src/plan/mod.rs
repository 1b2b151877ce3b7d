//! From the query language to SQLite's SQL.

mod embed;
pub(crate) mod field;
mod filter;
mod group;
mod order;
mod read;

use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type, Value};
use truststream_services::database::TableName;

use crate::access::Access;
use crate::schema::Schema;
use crate::storage;

pub(crate) use read::{Source, Statement};

/// Builds one statement. Literals are bound, never part of the text.
pub(crate) struct Planner<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) access: Access<'a>,
    pub(crate) parameters: Vec<Cell>,
    aliases: usize,
}

/// A table within a statement.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Its name in the catalog.
    pub(crate) table: TableName,
    /// What the statement calls it.
    pub(crate) alias: String,
}

impl<'a> Planner<'a> {
    pub(crate) fn new(schema: &'a Schema, cx: &'a Context) -> Self {
        Planner { schema, access: Access::of(cx), parameters: Vec::new(), aliases: 0 }
    }

    /// Binds a cell and gives its placeholder.
    pub(crate) fn bind(&mut self, cell: Cell) -> String {
        self.parameters.push(cell);
        format!("?{}", self.parameters.len())
    }

    /// Reads a literal of a column's type and binds it.
    pub(crate) fn literal(&mut self, ty: &Type, text: &str) -> Result<String> {
        let cell = storage::cell(&self.parse(ty, text)?)?;
        Ok(self.bind(cell))
    }

    /// Reads a literal of a column's type.
    pub(crate) fn parse(&self, ty: &Type, text: &str) -> Result<Value> {
        checked(self.schema, ty, Value::parse(ty, text)?)
    }

    pub(crate) fn scope(&mut self, table: &TableName) -> Scope {
        self.aliases += 1;
        Scope { table: table.clone(), alias: format!("t{}", self.aliases) }
    }
}

/// A value whose enum labels exist.
///
/// # Errors
/// 22P02 otherwise.
pub(crate) fn checked(schema: &Schema, ty: &Type, value: Value) -> Result<Value> {
    if let (Some(labels), Value::Text(label)) = (schema.labels(ty), &value)
        && !labels.contains(label)
    {
        let message = format!("invalid input value for enum {}: \"{label}\"", ty.sql_name());
        return Err(Error::new(ErrorKind::InvalidInput, "22P02", message));
    }
    if let (Type::Array(element), Value::Array(values)) = (ty, &value) {
        for value in values {
            checked(schema, element, value.clone())?;
        }
    }
    Ok(value)
}
