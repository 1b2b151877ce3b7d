//! What a call gives to a function's parameters, as PostgREST reads it.

use indexmap::IndexMap;
use serde_json::value::RawValue;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Arguments, Catalog, Function, Parameter};

use crate::callable::values_of;
use crate::expression::parameter_type;

/// What a call gives.
#[derive(Debug)]
pub enum Given {
    /// The body as a whole, to the only parameter.
    Whole(Value),
    /// A value for each parameter, in order; none for one that is left out.
    Each(Vec<Option<Value>>),
}

/// What the arguments of a call give to the parameters of a function. `body` are the arguments' bytes, if
/// they have any.
///
/// # Errors
/// PGRST102 for a body that is no JSON, 22021 for one that is no text, and those of values.
pub fn given(catalog: &Catalog, function: &Function, arguments: &Arguments, body: &[u8]) -> Result<Given> {
    let whole = match (&function.parameters[..], arguments) {
        (_, Arguments::Named(_)) => None,
        ([one], _) if one.name.is_empty() => Some(one),
        ([one], Arguments::Raw { .. }) => Some(one),
        _ => None,
    };
    if let Some(parameter) = whole {
        let value = match parameter_type(catalog, parameter) {
            Type::Bytes => Value::Bytes(body.to_vec()),
            ty => Value::parse(&ty, text(body)?)?,
        };
        return Ok(Given::Whole(value));
    }
    let members = match arguments {
        Arguments::Json(_) => members(body)?,
        Arguments::Named(_) | Arguments::Raw { .. } => IndexMap::new(),
    };
    let value = |parameter: &Parameter| {
        let ty = parameter_type(catalog, parameter);
        match arguments {
            Arguments::Json(_) => {
                members.get(&parameter.name).map(|json| Value::from_raw_json(&ty, json)).transpose()
            }
            Arguments::Named(named) => named_value(parameter, &ty, &values_of(named, parameter)),
            Arguments::Raw { .. } => Ok(None),
        }
    };
    function.parameters.iter().map(value).collect::<Result<_>>().map(Given::Each)
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
