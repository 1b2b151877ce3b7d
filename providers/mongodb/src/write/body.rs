//! Bodies of writes as typed values.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Body, Error, ErrorKind, Result, Value};
use truststream_services::database::{CastDirection, Column, TableName};
use truststream_sql::composite::Composite;
use truststream_sql::evaluate::Computed;
use truststream_sql::payload::Payload;

use super::rules::default;
use super::through::Through;
use crate::plan::Planner;
use crate::represent::cast_of;
use crate::schema::Schema;
use crate::storage;
use crate::term::checked;
use crate::work::Work;

/// Rows to write.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'t> {
    /// Names of the columns as they were given: those of the view, where rows are written through one.
    pub(crate) given: Vec<String>,
    pub(crate) columns: Vec<&'t Column>,
    /// A value for each column; `None` takes the default.
    pub(crate) rows: Vec<Vec<Option<Value>>>,
}

impl Work {
    /// The rows of a request's body, with the columns that it names and whether what is missing takes its default.
    ///
    /// # Errors
    /// As [`Rows::read`].
    pub(super) async fn rows_of<'t>(
        &mut self,
        schema: &Schema,
        target: (&TableName, &Through<'t>),
        (body, columns, missing_default): (&Body, Option<&[String]>, bool),
    ) -> Result<Rows<'t>> {
        let body = body.collect(usize::MAX).await?;
        Rows::read(&mut self.planner(schema), target, &body, columns, missing_default)
    }
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
        planner: &mut Planner<'_>,
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
        let readers = columns.iter().map(|(_, column)| Reader::of(planner, column, missing_default));
        let readers = readers.collect::<Result<Vec<_>>>()?;
        let rows = objects(body)?
            .into_iter()
            .map(|object| {
                let read = |((given, column), reader): (&(&String, &Column), &Option<Reader>)| match (
                    reader,
                    object.get(*given),
                ) {
                    (Some(reader), json) => reader.value(json.copied()).map(Some),
                    (None, Some(json)) => value(planner.schema, column, json).map(Some),
                    (None, None) if missing_default => Ok(None),
                    (None, None) => Ok(Some(Value::Null)),
                };
                columns.iter().zip(&readers).map(read).collect()
            })
            .collect::<Result<Vec<_>>>()?;
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        Ok(Rows { given: names, columns, rows })
    }
}

/// What reads the values of a column whose domain is cast from JSON.
struct Reader {
    by: Computed,
    /// What is read of a value that is missing: the default as JSON, where that is asked for.
    missing: Value,
}

impl Reader {
    fn of(planner: &mut Planner<'_>, column: &Column, missing_default: bool) -> Result<Option<Self>> {
        let Some(by) = cast_of(planner, column, CastDirection::FromJson)? else { return Ok(None) };
        let mut missing = Value::Null;
        if missing_default {
            let default = storage::value(&default(planner, column)?, &column.ty)?;
            if default != Value::Null {
                missing = Value::Json(default.to_json_as(&column.ty));
            }
        }
        Ok(Some(Reader { by, missing }))
    }

    fn value(&self, json: Option<&RawValue>) -> Result<Value> {
        self.by.value(match json.map(RawValue::get) {
            None => self.missing.clone(),
            Some("null") => Value::Null,
            Some(json) => Value::Json(json.to_owned()),
        })
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
