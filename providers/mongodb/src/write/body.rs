//! Bodies of writes as typed values.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, TableName};
use truststream_sql::composite::Composite;
use truststream_sql::payload::Payload;

use super::through::Through;
use crate::schema::Schema;
use crate::term::checked;

/// Rows to write.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'t> {
    /// Names of the columns as they were given: those of the view, where rows are written through one.
    pub(crate) given: Vec<String>,
    pub(crate) columns: Vec<&'t Column>,
    /// A value for each column; `None` takes the default.
    pub(crate) rows: Vec<Vec<Option<Value>>>,
}

impl<'t> Rows<'t> {
    /// The names of the columns.
    pub(crate) fn names(&self) -> Vec<&'t str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Reads one JSON object or an array of them.
    ///
    /// # Errors
    /// PGRST102 for what is not JSON or whose keys differ, PGRST204 for unknown columns, those of
    /// wrong values.
    pub(crate) fn read(
        schema: &Schema,
        (name, through): (&TableName, &Through<'t>),
        body: &[u8],
        columns: Option<&[String]>,
        missing_default: bool,
    ) -> Result<Self> {
        let names = match columns {
            Some(columns) => {
                Payload::check(body)?;
                columns.to_vec()
            }
            None => Payload::read(body)?.columns,
        };
        let columns = names
            .iter()
            .map(|column| Ok((column, through.column(name, column)?)))
            .collect::<Result<Vec<_>>>()?;
        let rows = objects(body)?
            .into_iter()
            .map(|object| {
                let read = |(given, column): &(&String, &Column)| match object.get(*given) {
                    Some(json) => value(schema, column, json).map(Some),
                    None if missing_default => Ok(None),
                    None => Ok(Some(Value::Null)),
                };
                columns.iter().map(read).collect()
            })
            .collect::<Result<Vec<_>>>()?;
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        Ok(Rows { given: names, columns, rows })
    }
}

/// A value as its column takes it.
fn value(schema: &Schema, column: &Column, json: &RawValue) -> Result<Value> {
    match Composite::of(&schema.catalog, &column.ty) {
        Some(composite) => Ok(composite.of_json(json)?.map_or(Value::Null, Value::Text)),
        None => checked(&schema.catalog, &column.ty, Value::from_raw_json(&column.ty, json)?),
    }
}

type Object<'b> = IndexMap<String, &'b RawValue>;

fn objects(body: &[u8]) -> Result<Vec<Object<'_>>> {
    let parsed = if Payload::is_object(body) {
        serde_json::from_slice(body).map(|object| vec![object])
    } else {
        serde_json::from_slice(body)
    };
    parsed.map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "PGRST102", "Empty or invalid json").with_source(error)
    })
}
