//! Arguments of calls, as values.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Context, Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Arguments, Function, Parameter};
use truststream_sql::callable::values_of;
use truststream_sql::expression::parameter_type;

use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::Translator;
use crate::storage;
use crate::term::{checked, constant_of};

/// A value for each parameter, in order.
pub(super) async fn values(
    schema: &Schema,
    cx: &Context,
    function: &Function,
    arguments: &Arguments,
) -> Result<Vec<Value>> {
    let whole = match &function.parameters[..] {
        [one] if one.name.is_empty() => true,
        [_] => matches!(arguments, Arguments::Raw { .. }),
        _ => false,
    };
    let body = match arguments {
        Arguments::Json(body) | Arguments::Raw { body, .. } => body.collect(usize::MAX).await?,
        Arguments::Named(_) => bytes::Bytes::new(),
    };
    if whole && !matches!(arguments, Arguments::Named(_)) {
        let value = match parameter_type(&schema.catalog, &function.parameters[0]) {
            Type::Bytes => Value::Bytes(body.to_vec()),
            ty => Value::parse(&ty, text(&body)?)?,
        };
        return Ok(vec![value]);
    }
    let members = match arguments {
        Arguments::Json(_) => members(&body)?,
        _ => IndexMap::new(),
    };
    let value = |parameter: &Parameter| {
        let ty = parameter_type(&schema.catalog, parameter);
        let value = match arguments {
            Arguments::Json(_) => match members.get(&parameter.name) {
                Some(json) => Some(Value::from_raw_json(&ty, json)?),
                None => None,
            },
            Arguments::Named(named) => named_value(parameter, &ty, &values_of(named, parameter))?,
            Arguments::Raw { .. } => None,
        };
        match value {
            Some(value) => checked(&schema.catalog, &ty, value),
            None => default(schema, cx, parameter, &ty),
        }
    };
    function.parameters.iter().map(value).collect()
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
fn default(schema: &Schema, cx: &Context, parameter: &Parameter, ty: &Type) -> Result<Value> {
    let Some(default) = &parameter.default else {
        return Ok(match ty {
            Type::Array(_) if parameter.variadic => Value::Array(Vec::new()),
            _ => Value::Null,
        });
    };
    let term = Translator::value_of(&mut Planner::new(schema, cx), None, default, ty)?;
    let Some(known) = constant_of(&term.expr) else {
        return Err(Error::unsupported(format!("this database can't compute the default {default}")));
    };
    let stored = match term.ty {
        Type::Json | Type::Jsonb => mongodb::bson::doc! { "v": known.clone() }.into(),
        _ => known.clone(),
    };
    let value = storage::value(&stored, &term.ty)?;
    crate::cast::cast(&schema.catalog, value, &term.ty, ty)
}
