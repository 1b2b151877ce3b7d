//! Casts of values that were read.

use truststream_kernel::value::{decimal, zone};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::Catalog;
use truststream_sql::schema::{enum_table, type_named};

use crate::record::is_record;
use crate::review::foreign_type;
use crate::schema::labels;
use crate::term::checked;

/// The type of a cast by its name.
///
/// # Errors
/// 42704 for a type that there is not.
pub(crate) fn target(catalog: &Catalog, name: &str) -> Result<Type> {
    let ty = match Type::parse(name) {
        Type::Other(other) if labels(catalog, &Type::Enum(other.clone())).is_some() => Type::Enum(other),
        Type::Other(_) => of_domain(catalog, name)?,
        ty => ty,
    };
    if foreign_type(catalog, &ty).is_some() {
        let message = format!("type \"{name}\" does not exist");
        return Err(Error::new(ErrorKind::InvalidInput, "42704", message));
    }
    Ok(ty)
}

/// The type below a domain; its rules are those of columns.
fn of_domain(catalog: &Catalog, name: &str) -> Result<Type> {
    if let Some(domain) = catalog.domains.get(&enum_table(&name.replace('"', "")))
        && (domain.not_null || !domain.checks.is_empty())
    {
        return Err(Error::unsupported(format!(
            "this database casts no aggregate to a domain with rules: {name}"
        )));
    }
    Ok(type_named(catalog, name))
}

/// A value of one type as another.
///
/// # Errors
/// Those of wrong literals.
pub(crate) fn cast(catalog: &Catalog, value: Value, from: &Type, to: &Type) -> Result<Value> {
    if from == to {
        return Ok(value);
    }
    if value != Value::Null
        && is_record(catalog, to)
        && !matches!(from, Type::Text | Type::Varchar(_) | Type::Char(_))
    {
        let message = format!("cannot cast type {} to {to}", from.sql_name());
        return Err(Error::new(ErrorKind::InvalidInput, "42846", message));
    }
    let whole = matches!(to, Type::Int2 | Type::Int4 | Type::Int8);
    let text = match &value {
        Value::Null => return Ok(Value::Null),
        Value::Bool(value) if whole => Some(u8::from(*value).to_string()),
        Value::Bool(value) if *to == Type::Text => Some(value.to_string()),
        Value::Float(number) if whole => Some(format!("{:.0}", number.round_ties_even())),
        Value::Decimal(text) if whole => Some(decimal::rounded(text, 1_000, 0)?),
        Value::Timestamptz(micros) if *to == Type::Timestamp => {
            return Ok(Value::Timestamp(zone::local(*micros)));
        }
        Value::Timestamp(micros) if *to == Type::Timestamptz => {
            return Ok(Value::Timestamptz(zone::instant(*micros)));
        }
        Value::Json(text) if matches!(to, Type::Bool | Type::Numeric(_)) || whole => {
            return Value::from_json(to, text);
        }
        // Blanks behind a `char(n)` are none of its text.
        Value::Text(text) if matches!(from, Type::Char(_)) => Some(text.trim_end_matches(' ').to_owned()),
        _ => value.to_text_as(from),
    };
    match text {
        None => Ok(Value::Null),
        Some(text) => checked(catalog, to, Value::parse(to, &text)?),
    }
}
