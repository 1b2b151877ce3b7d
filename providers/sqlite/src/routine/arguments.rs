//! Arguments of calls, in the forms that columns store.

use bytes::Bytes;
use indexmap::IndexMap;
use rusqlite::types::Value as Cell;
use serde_json::value::RawValue;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Arguments, Function, Parameter};
use truststream_sql::callable::values_of;
use truststream_sql::expression::{self, Scope, parameter_type};

use crate::error::convert;
use crate::plan::checked;
use crate::storage;
use crate::write::Write;

/// A cell for each parameter, in order.
pub(super) fn cells(write: &Write<'_>, function: &Function, arguments: &Arguments) -> Result<Vec<Cell>> {
    let whole = match &function.parameters[..] {
        [one] if one.name.is_empty() => true,
        [_] => matches!(arguments, Arguments::Raw { .. }),
        _ => false,
    };
    if let (true, Arguments::Json(body) | Arguments::Raw { body, .. }) = (whole, arguments) {
        let body = body.read()?;
        let ty = parameter_type(&write.schema.catalog, &function.parameters[0]);
        let value = match ty {
            Type::Bytes => Value::Bytes(body.to_vec()),
            ty => Value::parse(&ty, text(&body)?)?,
        };
        return Ok(vec![storage::cell(&value)?]);
    }
    let body = match arguments {
        Arguments::Json(body) => body.read()?,
        _ => Bytes::new(),
    };
    let members = members(&body)?;
    let cell = |parameter: &Parameter| {
        let ty = parameter_type(&write.schema.catalog, parameter);
        let value = match arguments {
            Arguments::Json(_) => match members.get(&parameter.name) {
                Some(json) => Some(Value::from_raw_json(&ty, json)?),
                None => None,
            },
            Arguments::Named(named) => named_value(parameter, &ty, &values_of(named, parameter))?,
            Arguments::Raw { .. } => None,
        };
        match value {
            Some(value) => storage::cell(&checked(write.schema, &ty, value)?),
            None => default(write, parameter, &ty),
        }
    };
    function.parameters.iter().map(cell).collect()
}

fn text(body: &[u8]) -> Result<&str> {
    std::str::from_utf8(body).map_err(|error| {
        let message = "invalid byte sequence for encoding \"UTF8\"";
        Error::new(ErrorKind::InvalidInput, "22021", message).with_source(error)
    })
}

/// The members of a JSON object, or of the first one of an array.
fn members(body: &[u8]) -> Result<IndexMap<String, &RawValue>> {
    if body.trim_ascii().is_empty() {
        return Ok(IndexMap::new());
    }
    if let Ok(all) = serde_json::from_slice::<Vec<IndexMap<String, &RawValue>>>(body) {
        return Ok(all.into_iter().next().unwrap_or_default());
    }
    serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "PGRST102", "Empty or invalid json").with_source(error)
    })
}

fn named_value(parameter: &Parameter, ty: &Type, values: &[String]) -> Result<Option<Value>> {
    match (values, ty) {
        ([], _) => Ok(None),
        (_, Type::Array(element)) if parameter.variadic => {
            let values = values.iter().map(|text| Value::parse(element, text));
            Ok(Some(Value::Array(values.collect::<Result<_>>()?)))
        }
        ([.., last], _) => Value::parse(ty, last).map(Some),
    }
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
