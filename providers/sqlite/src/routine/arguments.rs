//! Arguments of calls, in the forms that columns store.

use bytes::Bytes;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Result, Type, Value};
use truststream_services::database::{Arguments, Function, Parameter};
use truststream_sql::arguments::{Given, given};
use truststream_sql::expression::{self, Scope, parameter_type};

use crate::error::convert;
use crate::plan::checked;
use crate::storage;
use crate::write::Write;

/// A cell for each parameter, in order.
pub(super) fn cells(write: &Write<'_>, function: &Function, arguments: &Arguments) -> Result<Vec<Cell>> {
    let body = match arguments {
        Arguments::Json(body) | Arguments::Raw { body, .. } => body.read()?,
        Arguments::Named(_) => Bytes::new(),
    };
    let each = match given(&write.schema.catalog, function, arguments, &body)? {
        Given::Whole(value) => {
            let ty = function.parameters.first().map(|one| parameter_type(&write.schema.catalog, one));
            let value = match ty {
                Some(ty) => checked(write.schema, &ty, value)?,
                None => value,
            };
            return Ok(vec![storage::cell(&value)?]);
        }
        Given::Each(each) => each,
    };
    let cell = |(parameter, value): (&Parameter, _)| {
        let ty = parameter_type(&write.schema.catalog, parameter);
        match value {
            Some(value) => storage::cell(&checked(write.schema, &ty, value)?),
            None => default(write, parameter, &ty),
        }
    };
    function.parameters.iter().zip(each).map(cell).collect()
}

/// What a parameter is that is not given.
fn default(write: &Write<'_>, parameter: &Parameter, ty: &Type) -> Result<Cell> {
    let Some(default) = &parameter.default else {
        return match ty {
            Type::Array(_) if parameter.variadic => storage::cell(&Value::Array(Vec::new())),
            _ => Ok(Cell::Null),
        };
    };
    let sql = expression::value(default, ty, &Scope::new(&write.schema.catalog))?;
    let sql = format!("SELECT {sql}");
    write
        .conn
        .sql
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(convert)
}
