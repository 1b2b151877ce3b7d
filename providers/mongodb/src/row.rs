//! Rows of the kernel from stored documents, and back.

use std::sync::Arc;

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Catalog, Column, Table, TableName, errors};

use crate::ddl;
use crate::names::field;
use crate::schema::labels;
use crate::storage;

/// The names of a table's columns, shared by its rows.
pub(crate) fn columns(table: &Table) -> Arc<[String]> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

/// The row that a document holds.
pub(crate) fn row(table: &Table, columns: &Arc<[String]>, document: &Document) -> Result<Row> {
    let value = |column: &Column| {
        storage::value(document.get(field(&column.name)).unwrap_or(&Bson::Null), &column.ty)
    };
    let values = table.columns.iter().map(value).collect::<Result<_>>()?;
    Ok(Row { columns: Arc::clone(columns), values })
}

/// How rows of some columns become documents of a table.
pub(crate) struct Form<'t> {
    catalog: &'t Catalog,
    name: &'t TableName,
    table: &'t Table,
    columns: Arc<[String]>,
    fields: Vec<Field<'t>>,
}

/// A column, and what its field may hold.
struct Field<'t> {
    column: &'t Column,
    name: String,
    kinds: Vec<&'static str>,
    labels: Option<&'t [String]>,
}

impl<'t> Form<'t> {
    /// The form of rows with these columns.
    ///
    /// # Errors
    /// 0A000 for a table without a primary key, 23502 if a column is left out that is never null.
    pub(crate) fn of(
        catalog: &'t Catalog,
        (name, table): (&'t TableName, &'t Table),
        columns: &Arc<[String]>,
    ) -> Result<Self> {
        if table.primary_key.is_empty() {
            return Err(Error::unsupported(format!("table {name} has no primary key")));
        }
        if let Some(left_out) = table.columns.iter().find(|one| !one.nullable && !columns.contains(&one.name))
        {
            return Err(errors::null_value(name, &left_out.name));
        }
        let of_column = |wanted: &String| {
            let column = table.column(wanted);
            let column =
                column.ok_or_else(|| Error::internal(format!("table {name} has no column {wanted}")))?;
            Ok(Field {
                column,
                name: field(wanted),
                kinds: ddl::types(&column.ty),
                labels: labels(catalog, &column.ty),
            })
        };
        let fields = columns.iter().map(of_column).collect::<Result<_>>()?;
        Ok(Form { catalog, name, table, columns: Arc::clone(columns), fields })
    }

    /// The document of a row, with its key. It holds what the validator of the collection demands, which is
    /// not there to look at it while a copy is received.
    ///
    /// # Errors
    /// 23502 and 23514 for a row that the table can't have.
    pub(crate) fn document(&self, row: &Row) -> Result<Document> {
        let mut document = Document::new();
        for (field, value) in self.fields.iter().zip(&row.values) {
            document.insert(&field.name, field.stored((self.catalog, self.name), value)?);
        }
        let id = storage::id(self.table, &document).unwrap_or(Bson::Null);
        document.insert("_id", id);
        Ok(document)
    }

    fn is_of(&self, row: &Row) -> bool {
        Arc::ptr_eq(&self.columns, &row.columns) || self.columns == row.columns
    }
}

impl Field<'_> {
    fn stored(&self, (catalog, table): (&Catalog, &TableName), value: &Value) -> Result<Bson> {
        if *value == Value::Null {
            return if self.column.nullable {
                Ok(Bson::Null)
            } else {
                Err(errors::null_value(table, &self.column.name))
            };
        }
        let stored = storage::stored(catalog, value, &self.column.ty)?;
        let known = match (self.labels, &stored) {
            (Some(labels), Bson::String(label)) => labels.contains(label),
            _ => true,
        };
        if known && self.kinds.contains(&kind(&stored)) {
            return Ok(stored);
        }
        let message = format!("table {table} takes no such value in column \"{}\"", self.column.name);
        Err(Error::new(ErrorKind::Constraint, "23514", message))
    }
}

/// What the engine calls the type of a value, as validators name it.
fn kind(stored: &Bson) -> &'static str {
    match stored {
        Bson::Boolean(_) => "bool",
        Bson::Int64(_) => "long",
        Bson::Int32(_) => "int",
        Bson::Double(_) => "double",
        Bson::Decimal128(_) => "decimal",
        Bson::String(_) => "string",
        Bson::Binary(_) => "binData",
        Bson::Document(_) => "object",
        Bson::Array(_) => "array",
        _ => "other",
    }
}

/// The documents of rows.
///
/// # Errors
/// Those of [`Form`].
pub(crate) fn documents<'r>(
    catalog: &Catalog,
    named: (&TableName, &Table),
    rows: impl Iterator<Item = &'r Row>,
) -> Result<Vec<Document>> {
    let mut form: Option<Form<'_>> = None;
    let document = |row: &Row| {
        let fits = form.take().filter(|form| form.is_of(row));
        let known = match fits {
            Some(known) => known,
            None => Form::of(catalog, named, &row.columns)?,
        };
        let document = known.document(row);
        form = Some(known);
        document
    };
    rows.map(document).collect()
}

/// The `_id` of a row.
pub(crate) fn key(catalog: &Catalog, table: &Table, row: &Row) -> Result<Bson> {
    let mut document = Document::new();
    for name in &table.primary_key {
        let (Some(column), Some(value)) = (table.column(name), row.get(name)) else { continue };
        document.insert(field(name), storage::stored(catalog, value, &column.ty)?);
    }
    Ok(storage::id(table, &document).unwrap_or(Bson::Null))
}
