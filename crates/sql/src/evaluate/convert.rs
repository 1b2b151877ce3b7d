//! Values of one type as another.

use truststream_kernel::value::{decimal, zone};
use truststream_kernel::{Result, Type, Value};
use truststream_services::database::Catalog;

use super::node::Node;
use super::read::Typed;
use crate::expression::{Unsupported, is_text};
use crate::schema::enum_table;

/// Why a value is converted, which decides what it is converted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// PostgreSQL does so by itself.
    Coerced,
    /// It becomes a value of a column or a result.
    Assigned,
    /// It was asked for.
    Cast,
}

/// A value as one of a type.
pub(super) fn converted(
    catalog: &Catalog,
    value: Typed,
    to: &Type,
    target: Target,
) -> Result<Typed, Unsupported> {
    if let (Some(None), Node::Raise(..)) = (&value.literal, &value.node) {
        return Ok(Typed::known(value.node, to.clone()));
    }
    if let Some(literal) = &value.literal {
        let read = literal.as_ref().map_or(Ok(Value::Null), |text| read(catalog, text, to));
        let read =
            read.map_err(|error| Unsupported::new(literal.clone().unwrap_or_default(), error.message()))?;
        return Ok(Typed::constant(read, to.clone()));
    }
    let from = value.ty.clone();
    // Blanks behind a `char(n)` are left behind.
    let as_texts = is_text(&from) && is_text(to) && !matches!(from, Type::Char(_));
    let alike = from == *to || target == Target::Coerced && as_texts;
    if alike {
        return Ok(Typed { ty: to.clone(), ..value });
    }
    let allowed = match target {
        Target::Coerced => coerces(&from, to),
        Target::Assigned => {
            coerces(&from, to) || from.is_number() && to.is_number() || is_text(to) || times(&from, to)
        }
        Target::Cast => casts(&from, to),
    };
    if !allowed || held(to).is_none() || held(&from).is_none() {
        return Err(Unsupported::new(format!("{from} → {to}"), "this cast is not computed in process"));
    }
    let (to, explicit) = (to.clone(), target == Target::Cast);
    let ty = to.clone();
    let operation = move |values: &[Value]| cast(&values[0], (&from, &to), explicit);
    Ok(Typed::known(Node::Strict(Box::new(operation), vec![value.node]), ty))
}

/// A literal of a type.
fn read(catalog: &Catalog, text: &str, ty: &Type) -> Result<Value> {
    if let Type::Enum(name) = ty {
        let labels = catalog.enums.get(&enum_table(name));
        if !labels.is_some_and(|labels| labels.iter().any(|label| label == text)) {
            let message = format!("invalid input value for enum {name}: \"{text}\"");
            return Err(truststream_kernel::Error::new(
                truststream_kernel::ErrorKind::InvalidInput,
                "22P02",
                message,
            ));
        }
    }
    Value::parse(ty, text)
}

/// Whether there are values of a type in process.
fn held(ty: &Type) -> Option<()> {
    (!matches!(ty, Type::Enum(_) | Type::Other(_) | Type::Array(_) | Type::Interval)).then_some(())
}

fn coerces(from: &Type, to: &Type) -> bool {
    use Type::{Date, Float4, Float8, Int2, Int4, Int8, Numeric, Timestamp, Timestamptz};
    matches!(
        (from, to),
        (Int2, Int4 | Int8)
            | (Int4, Int8)
            | (Int2 | Int4 | Int8, Numeric(_) | Float4 | Float8)
            | (Numeric(_), Numeric(None) | Float4 | Float8)
            | (Float4, Float8)
            | (Timestamp | Date, Timestamptz)
            | (Date, Timestamp)
    ) || is_text(from) && is_text(to)
}

fn times(from: &Type, to: &Type) -> bool {
    let time = |ty: &Type| matches!(ty, Type::Timestamptz | Type::Timestamp | Type::Date);
    time(from) && time(to)
}

fn casts(from: &Type, to: &Type) -> bool {
    use Type::{Bool, Bytes, Int4, Json, Jsonb};
    match (from, to) {
        _ if from.is_number() && to.is_number() || times(from, to) => true,
        (Bool, Int4) | (Int4, Bool) | (Json, Jsonb) | (Jsonb, Json) => true,
        (Bytes, _) | (_, Bytes) => is_text(from) && *to == Bytes,
        _ => is_text(from) || is_text(to),
    }
}

fn cast(value: &Value, (from, to): (&Type, &Type), explicit: bool) -> Result<Value> {
    let whole = matches!(to, Type::Int2 | Type::Int4 | Type::Int8);
    match (value, to) {
        (Value::Bool(value), Type::Int4) => return Ok(Value::Int(i64::from(*value))),
        (Value::Int(number), Type::Bool) => return Ok(Value::Bool(*number != 0)),
        (Value::Bool(value), _) => return Value::parse(to, &value.to_string()),
        (Value::Timestamptz(micros), Type::Timestamp) => return Ok(Value::Timestamp(zone::local(*micros))),
        (Value::Timestamp(micros), Type::Timestamptz) => {
            return Ok(Value::Timestamptz(zone::instant(*micros)));
        }
        (Value::Timestamptz(micros), Type::Date) => {
            return cast(&Value::Timestamp(zone::local(*micros)), (&Type::Timestamp, to), explicit);
        }
        _ => {}
    }
    let text = match value {
        Value::Float(number) if whole => format!("{:.0}", number.round_ties_even()),
        Value::Decimal(text) if whole => decimal::rounded(text, 1_000, 0)?,
        Value::Timestamp(micros) if *to == Type::Date => {
            let text = Value::Timestamp(*micros).to_text().unwrap_or_default();
            text.split(' ').next().unwrap_or_default().to_owned()
        }
        Value::Text(text) if matches!(from, Type::Char(_)) => text.trim_end_matches(' ').to_owned(),
        other => other.to_text_as(from).unwrap_or_default(),
    };
    match to {
        Type::Varchar(Some(length)) | Type::Char(length) if explicit => {
            let length = usize::try_from(*length).unwrap_or(usize::MAX);
            Value::parse(to, &text.chars().take(length).collect::<String>())
        }
        _ => Value::parse(to, &text),
    }
}
