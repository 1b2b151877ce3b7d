//! Rows of the kernel from stored documents, and back.

use std::sync::Arc;

use mongodb::bson::{Bson, Document};
use truststream_kernel::{Error, Result, Row};
use truststream_services::database::{Table, TableName};

use crate::names::field;
use crate::storage;

/// The names of a table's columns, shared by its rows.
pub(crate) fn columns(table: &Table) -> Arc<[String]> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

/// The row that a document holds.
pub(crate) fn row(table: &Table, columns: &Arc<[String]>, document: &Document) -> Result<Row> {
    let value = |column: &truststream_services::database::Column| {
        storage::value(document.get(field(&column.name)).unwrap_or(&Bson::Null), &column.ty)
    };
    let values = table.columns.iter().map(value).collect::<Result<_>>()?;
    Ok(Row { columns: Arc::clone(columns), values })
}

/// The document of a row, with its key.
///
/// # Errors
/// 0A000 for a table without a primary key.
pub(crate) fn document(name: &TableName, table: &Table, row: &Row) -> Result<Document> {
    let mut document = Document::new();
    for (column, value) in row.columns.iter().zip(&row.values) {
        let known = table
            .column(column)
            .ok_or_else(|| Error::internal(format!("table {name} has no column {column}")))?;
        document.insert(field(column), storage::bson(value, &known.ty)?);
    }
    let id = storage::id(table, &document)
        .ok_or_else(|| Error::unsupported(format!("table {name} has no primary key")))?;
    document.insert("_id", id);
    Ok(document)
}
