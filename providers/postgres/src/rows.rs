//! Whole rows as JSON texts, in and out.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::value::json::push_string;
use truststream_kernel::{Error, ErrorKind, Result, Row, Type, Value};
use truststream_services::database::{Column, Table, TableName};

use crate::schema::Schema;

type Members<'j> = IndexMap<String, &'j RawValue>;

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
    pub(crate) fn unknown(json: &str) -> Result<Self> {
        let members: Members<'_> = parse(json)?;
        let types = vec![Type::Text; members.len()];
        Ok(RowReader { columns: members.into_keys().collect(), types })
    }

    /// Reads one row.
    pub(crate) fn row(&self, json: &str) -> Result<Row> {
        self.of(&parse(json)?)
    }

    /// Reads an array of rows.
    pub(crate) fn rows(&self, json: &str) -> Result<Vec<Row>> {
        let rows: Vec<Members<'_>> = parse(json)?;
        rows.iter().map(|members| self.of(members)).collect()
    }

    fn of(&self, members: &Members<'_>) -> Result<Row> {
        let value = |(name, ty): (&String, &Type)| match members.get(name) {
            Some(raw) => Value::from_raw_json(ty, raw),
            None => Ok(Value::Null),
        };
        let values = self.columns.iter().zip(&self.types).map(value).collect::<Result<_>>()?;
        Ok(Row { columns: Arc::clone(&self.columns), values })
    }
}

fn parse<'j, T: serde::Deserialize<'j>>(json: &'j str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::internal("a row could not be read").with_source(error))
}

/// Rows as a JSON array, each value as its column's type writes it.
pub(crate) fn to_json<'r>(table: &Table, rows: impl IntoIterator<Item = &'r Row>) -> String {
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
            match table.column(name) {
                Some(column) => out.push_str(&value.to_json_as(&column.ty)),
                None => value.write_json(&mut out),
            }
        }
        out.push('}');
    }
    out.push(']');
    out
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
