//! Whole rows as texts, in and out.

use std::sync::Arc;

use truststream_kernel::value::json::push_string;
use truststream_kernel::{Error, ErrorKind, Result, Row, Type, Value};
use truststream_services::database::{Column, Table, TableName};
use truststream_sql::printed::record;
use truststream_sql::quote::quote;

use crate::schema::Schema;

/// How the rows of one table are read.
pub(crate) struct RowReader {
    columns: Arc<[String]>,
    types: Vec<Type>,
}

impl RowReader {
    /// For a table of the schema.
    pub(crate) fn new(table: &Table) -> Self {
        RowReader {
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
            types: table.columns.iter().map(|column| column.ty.clone()).collect(),
        }
    }

    /// For a table that is gone: values as texts.
    pub(crate) fn unknown(names: &[&str]) -> Self {
        let columns = names.iter().copied().map(str::to_owned).collect();
        RowReader { columns, types: vec![Type::Text; names.len()] }
    }

    /// Reads a record whose fields are all columns, in order.
    pub(crate) fn row(&self, record: &str) -> Result<Row> {
        let fields = record::fields(record)?;
        if fields.len() != self.columns.len() {
            return Err(Error::internal("a row has other columns than its table"));
        }
        let values = fields.into_iter().zip(&self.types).map(|(field, ty)| value(ty, field));
        Ok(self.of(values.collect::<Result<_>>()?))
    }

    /// Whether it reads all of these columns.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.columns.iter().eq(names) || names.iter().all(|name| self.columns.iter().any(|one| one == name))
    }

    /// Reads a record made when the table had the columns `names`.
    pub(crate) fn image(&self, names: &[&str], record: &str) -> Result<Row> {
        if self.columns.iter().eq(names) {
            return self.row(record);
        }
        let mut fields = record::fields(record)?;
        let mut field = |column: &String| {
            let at = names.iter().position(|name| name == column)?;
            fields.get_mut(at)?.take()
        };
        let values = self.columns.iter().zip(&self.types).map(|(column, ty)| value(ty, field(column)));
        Ok(self.of(values.collect::<Result<_>>()?))
    }

    fn of(&self, values: Vec<Value>) -> Row {
        Row { columns: Arc::clone(&self.columns), values }
    }
}

/// The value of a field of a record; `None` is null.
pub(crate) fn value(ty: &Type, field: Option<String>) -> Result<Value> {
    let Some(text) = field else { return Ok(Value::Null) };
    match Value::parse(ty, &text) {
        // An array that does not begin at one: its text keeps that.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Value::Text(text)),
        parsed => parsed,
    }
}

/// Rows as a JSON array of texts, for a relation of [`text_columns`]: so null and the JSON `null`
/// stay apart.
pub(crate) fn to_texts<'r>(table: &Table, rows: impl IntoIterator<Item = &'r Row>) -> String {
    let mut out = String::from("[");
    for (index, row) in rows.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('{');
        for (index, (name, value)) in row.columns.iter().zip(&row.values).enumerate() {
            if index > 0 {
                out.push(',');
            }
            push_string(&mut out, name);
            out.push(':');
            let ty = table.column(name).map(|column| &column.ty);
            match ty.map_or_else(|| value.to_text(), |ty| value.to_text_as(ty)) {
                Some(text) => push_string(&mut out, &text),
                None => out.push_str("null"),
            }
        }
        out.push('}');
    }
    out.push(']');
    out
}

/// Columns as the column list of a relation of texts: `"id" text, "at" text`.
pub(crate) fn text_columns(columns: &[&Column]) -> String {
    let list: Vec<String> = columns.iter().map(|column| format!("{} text", quote(&column.name))).collect();
    list.join(", ")
}

/// A text of the relation `k`, read as its column's type.
pub(crate) fn typed(column: &Column) -> String {
    format!("k.{}::{}", quote(&column.name), column.type_name)
}

/// A table that rows are moved to or from by key.
///
/// # Errors
/// PGRST205 if there is none, `0A000` if it has no primary key.
pub(crate) fn keyed<'s>(schema: &'s Schema, name: &TableName) -> Result<&'s Table> {
    let table = schema.table(name)?;
    if table.primary_key.is_empty() {
        let message = format!("table {name} has no primary key");
        return Err(Error::new(ErrorKind::Unsupported, "0A000", message)
            .with_hint("give it a primary key; rows are copied and followed by it"));
    }
    Ok(table)
}

/// The key columns of a table.
pub(crate) fn key_columns(table: &Table) -> Vec<&Column> {
    table.primary_key.iter().filter_map(|name| table.column(name)).collect()
}
