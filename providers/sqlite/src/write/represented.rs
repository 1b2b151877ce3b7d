//! Values of bodies that a cast of their column's domain reads.

use rusqlite::types::Value as Cell;
use serde_json::value::RawValue;
use truststream_kernel::{Error, Result, Type, Value};
use truststream_services::database::{CastDirection, Column, TableName};
use truststream_sql::expression::as_json;

use super::Write;
use crate::access::Access;
use crate::error::convert;
use crate::plan::field::Term;
use crate::{storage, translate};

/// What reads the values of a column.
pub(super) struct Reader {
    /// The query that makes a value of JSON.
    sql: String,
    /// The query that gives a missing value, as JSON.
    default: Option<String>,
    ty: Type,
}

impl Write<'_> {
    /// What reads the values of a column whose domain is cast from JSON; `None` of any other. A missing value
    /// is the column's default where that is asked for, which is read as well.
    ///
    /// # Errors
    /// 42501 if the function is closed to the caller.
    pub(super) fn reader(
        &self,
        table: &TableName,
        column: &Column,
        missing_default: bool,
    ) -> Result<Option<Reader>> {
        let catalog = &self.schema.catalog;
        let Some(function) = catalog.representation(column, CastDirection::FromJson) else { return Ok(None) };
        let given = Term { sql: "?1".to_owned(), ty: Type::Json };
        let value = translate::cast_value(self.schema, function, given, Access::of(self.cx))?.sql;
        let default = match &column.default {
            Some(_) if missing_default => {
                let json = as_json("value", &column.ty);
                let default = self.default(table, column)?;
                Some(format!(
                    "WITH d(value) AS MATERIALIZED (SELECT {default}) \
                     SELECT CASE WHEN value IS NULL THEN NULL ELSE json_quote({json}) END FROM d"
                ))
            }
            _ => None,
        };
        // Not every function looks at what it is given.
        let sql = format!("WITH given AS (SELECT ?1) SELECT {value}");
        Ok(Some(Reader { sql, default, ty: column.ty.clone() }))
    }

    /// Reads a value.
    pub(super) fn read_value(&self, reader: &Reader, json: Option<&RawValue>) -> Result<Value> {
        let json = json.map(RawValue::get).filter(|json| *json != "null");
        let given: Cell = match (json, &reader.default) {
            (Some(json), _) => Cell::Text(json.to_owned()),
            (None, Some(default)) => {
                self.conn.sql.query_row(default, [], |row| row.get(0)).map_err(convert)?
            }
            (None, None) => Cell::Null,
        };
        let mut statement = self.conn.sql.prepare_cached(&reader.sql).map_err(convert)?;
        let cell: Cell = statement.query_row([given], |row| row.get(0)).map_err(convert)?;
        storage::value((&cell).into(), &reader.ty)
    }

    /// Refuses a write through a view to columns whose values the caller may not have read.
    ///
    /// # Errors
    /// 42501.
    pub(super) fn may_read_values(&self, view: &TableName, columns: &[String]) -> Result<()> {
        let Some(role) = Access::of(self.cx).role() else { return Ok(()) };
        let table = self.schema.table(view)?;
        for column in columns.iter().filter_map(|name| table.column(name)) {
            let function = self.schema.catalog.representation(column, CastDirection::FromJson);
            if let Some(function) = function.filter(|function| !function.is_open_to(role)) {
                let message = format!("permission denied for function {}", function.name.name);
                return Err(Error::permission_denied(message));
            }
        }
        Ok(())
    }
}
