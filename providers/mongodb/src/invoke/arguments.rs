//! Arguments of calls, as values.

use truststream_kernel::{Context, Error, Result, Type, Value};
use truststream_services::database::{Arguments, Function, Parameter};
use truststream_sql::arguments::{Given, given};
use truststream_sql::expression::parameter_type;

use crate::plan::Planner;
use crate::schema::Schema;
use crate::sql::Translator;
use crate::term::checked;

/// A value for each parameter, in order.
pub(super) async fn values(
    schema: &Schema,
    cx: &Context,
    function: &Function,
    arguments: &Arguments,
) -> Result<Vec<Value>> {
    let body = match arguments {
        Arguments::Json(body) | Arguments::Raw { body, .. } => body.collect(usize::MAX).await?,
        Arguments::Named(_) => bytes::Bytes::new(),
    };
    let each = match given(&schema.catalog, function, arguments, &body)? {
        Given::Whole(value) => return Ok(vec![value]),
        Given::Each(each) => each,
    };
    let value = |(parameter, value): (&Parameter, _)| {
        let ty = parameter_type(&schema.catalog, parameter);
        match value {
            Some(value) => checked(&schema.catalog, &ty, value),
            None => default(schema, cx, parameter, &ty),
        }
    };
    function.parameters.iter().zip(each).map(value).collect()
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
    let Some(value) = term.known()? else {
        return Err(Error::unsupported(format!("this database can't compute the default {default}")));
    };
    crate::cast::cast(&schema.catalog, value, &term.ty, ty)
}
