//! Bodies of writes as typed values.

use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, Table, TableName};
use truststream_sql::payload::{Object, Payload};

use crate::plan::checked;
use crate::schema::Schema;

/// Rows to write.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'t> {
    pub(crate) columns: Vec<&'t Column>,
    /// A value for each column; `None` takes the default.
    pub(crate) rows: Vec<Vec<Option<Value>>>,
}

impl<'t> Rows<'t> {
    /// Reads one JSON object or an array of them.
    ///
    /// # Errors
    /// PGRST102 for what is not JSON or whose keys differ, PGRST204 for unknown columns, those of
    /// wrong values.
    pub(crate) fn read(
        schema: &Schema,
        (name, table): (&TableName, &'t Table),
        body: &[u8],
        columns: Option<&[String]>,
        missing_default: bool,
    ) -> Result<Self> {
        let objects = match columns {
            Some(_) => Payload::any_rows(body)?,
            None => Payload::like_rows(body)?,
        };
        let column = |column: &str| table.column(column).ok_or_else(|| unknown(name, column));
        let columns = match (columns, objects.first()) {
            (Some(names), _) => names.iter().map(|name| column(name)).collect::<Result<Vec<_>>>()?,
            (None, Some(first)) => {
                first.keys().map(|key| column(key.as_str())).collect::<Result<Vec<_>>>()?
            }
            (None, None) => Vec::new(),
        };
        let read = |object: &Object<'_>, column: &Column| match object.get(column.name.as_str()) {
            Some(json) => checked(schema, &column.ty, Value::from_raw_json(&column.ty, json)?).map(Some),
            None if missing_default => Ok(None),
            None => Ok(Some(Value::Null)),
        };
        let row = |object: &Object<'_>| columns.iter().map(|column| read(object, column)).collect();
        let rows = objects.iter().map(row).collect::<Result<Vec<_>>>()?;
        Ok(Rows { columns, rows })
    }
}

fn unknown(table: &TableName, column: &str) -> Error {
    let message = format!("Could not find the '{column}' column of '{}' in the schema cache", table.name);
    Error::new(ErrorKind::InvalidInput, "PGRST204", message)
}
