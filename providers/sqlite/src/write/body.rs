//! Bodies of writes as typed values.

use serde_json::value::RawValue;
use truststream_kernel::{Body, Result, Value};
use truststream_services::database::{Column, Table, TableName, errors};
use truststream_sql::payload::{Object, OwnedObject, Payload, keys_differ};

use super::Write;
use super::represented::Reader;
use crate::plan::checked;

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
        write: &Write<'_>,
        (name, table): (&TableName, &'t Table),
        body: &[u8],
        columns: Option<&[String]>,
        missing_default: bool,
    ) -> Result<Self> {
        let objects = match columns {
            Some(_) => Payload::any_rows(body)?,
            None => Payload::like_rows(body)?,
        };
        let column = |column: &str| table.column(column).ok_or_else(|| errors::unknown_column(name, column));
        let columns = match (columns, objects.first()) {
            (Some(names), _) => names.iter().map(|name| column(name)).collect::<Result<Vec<_>>>()?,
            (None, Some(first)) => {
                first.keys().map(|key| column(key.as_str())).collect::<Result<Vec<_>>>()?
            }
            (None, None) => Vec::new(),
        };
        let values = Values::of(write, name, &columns, missing_default)?;
        let row = |object: &Object<'_>| {
            let columns = columns.iter().enumerate();
            columns
                .map(|(at, column)| values.read(at, column, object.get(column.name.as_str()).copied()))
                .collect()
        };
        let rows = objects.iter().map(row).collect::<Result<Vec<_>>>()?;
        Ok(Rows { columns, rows })
    }

    /// Gives each row of a body to `each`, one by one, with the columns that all of them have; before the
    /// first one, the columns alone.
    ///
    /// # Errors
    /// Those of [`Rows::read`], and those of `each`.
    pub(crate) fn each(
        write: &Write<'_>,
        (name, table): (&TableName, &'t Table),
        body: &Body,
        (wanted, missing_default): (Option<&[String]>, bool),
        mut each: impl FnMut(&[&'t Column], Option<Vec<Option<Value>>>) -> Result<()>,
    ) -> Result<()> {
        let column = |column: &str| table.column(column).ok_or_else(|| errors::unknown_column(name, column));
        let mut known: Option<(Vec<&'t Column>, Values<'_>)> = None;
        let give = |mut object: OwnedObject| {
            let (columns, values) = match &known {
                Some(known) => known,
                None => {
                    let columns: Vec<_> = match wanted {
                        Some(names) => names.iter().map(|name| column(name)).collect::<Result<_>>()?,
                        None => object.keys().map(|key| column(key)).collect::<Result<_>>()?,
                    };
                    each(&columns, None)?;
                    let values = Values::of(write, name, &columns, missing_default)?;
                    known.insert((columns, values))
                }
            };
            let alike = || columns.iter().all(|column| object.contains_key(&column.name));
            if wanted.is_none() && (object.len() != columns.len() || !alike()) {
                return Err(keys_differ());
            }
            let mut read = |(at, column): (usize, &&Column)| {
                let json = object.swap_remove(&column.name);
                values.read(at, column, json.as_deref())
            };
            let row = columns.iter().enumerate().map(&mut read).collect::<Result<_>>()?;
            each(columns, Some(row))
        };
        Payload::each_row(body.reader(), give)
    }
}

/// How the values of columns are read.
struct Values<'w> {
    write: &'w Write<'w>,
    missing_default: bool,
    /// For each column what reads its values, where a cast does.
    readers: Vec<Option<Reader>>,
}

impl<'w> Values<'w> {
    fn of(
        write: &'w Write<'w>,
        table: &TableName,
        columns: &[&Column],
        missing_default: bool,
    ) -> Result<Self> {
        let readers = columns.iter().map(|column| write.reader(table, column, missing_default));
        Ok(Values { write, missing_default, readers: readers.collect::<Result<_>>()? })
    }

    /// The value of the column at a place; `None` takes the default.
    fn read(&self, at: usize, column: &Column, json: Option<&RawValue>) -> Result<Option<Value>> {
        if let Some(reader) = &self.readers[at] {
            return self.write.read_value(reader, json).map(Some);
        }
        let schema = self.write.schema;
        if let (Some(composite), Some(json)) = (schema.composite(&column.ty), json) {
            return Ok(Some(composite.of_json(json)?.map_or(Value::Null, Value::Text)));
        }
        match json {
            Some(json) => checked(schema, &column.ty, Value::from_raw_json(&column.ty, json)?).map(Some),
            None if self.missing_default => Ok(None),
            None => Ok(Some(Value::Null)),
        }
    }
}
