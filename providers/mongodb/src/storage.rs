//! How values are stored.
//!
//! | type | BSON |
//! | --- | --- |
//! | boolean, text, enums | `bool`, `string` |
//! | integers | `long` |
//! | real, double precision | `double`; NaN is the string `NaN`, which sorts behind all numbers as PostgreSQL has it |
//! | numeric | `decimal128` with its scale; beyond 34 digits a string, which is read and written but not compared; NaN as above |
//! | uuid, bytea | `binData` of subtype 4 and 0 |
//! | timestamps, time | `long`: microseconds (BSON's dates hold milliseconds only) |
//! | date | `long`: days since 1970-01-01 |
//! | interval | `{ t, m, d, u }`: length in microseconds, then months, days and microseconds |
//! | jsonb, json | `{ v }` and `{ v, t }`: the value, and the text as it was written (`written.rs`) |
//! | ranges | `{ t, n, l, ls, u, us }`: the text, and both ends (`span.rs`) |
//! | composite types | `{ t, k, n, v, f }`: the text, and what is asked of it (`record.rs`) |
//! | money | `long`: cents |
//! | tsvector | `{ t, o }`: the text, and one by which it is ordered |
//! | arrays | `array` |

use std::str::FromStr;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Decimal128, Document, doc};
use truststream_kernel::value::range::{self, Range};
use truststream_kernel::value::tsvector::Vector;
use truststream_kernel::value::{decimal, jsonb};
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{Catalog, Table};
use truststream_sql::composite::Composite;
use uuid::Uuid;

use crate::names::field;
use crate::{json, money, record, span, written};

/// NaN in a column of numbers.
pub(crate) const NAN: &str = "NaN";

/// A value as it is stored in a column of type `ty`, which may be one that the catalog has made.
///
/// # Errors
/// Those of [`bson`], and a text that is no value of a composite type.
pub(crate) fn stored(catalog: &Catalog, value: &Value, ty: &Type) -> Result<Bson> {
    match (value, Composite::of(catalog, ty)) {
        (Value::Text(text), Some(composite)) => record::bson(catalog, ty, &composite, text),
        _ => bson(value, ty),
    }
}

/// A value as it is stored in a column of type `ty`, which is no composite one.
///
/// # Errors
/// 0A000 for a number of more than 34 digits within JSON.
pub(crate) fn bson(value: &Value, ty: &Type) -> Result<Bson> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::Int(value) => Bson::Int64(*value),
        Value::Float(value) if value.is_nan() => Bson::String(NAN.into()),
        Value::Float(value) => Bson::Double(*value),
        Value::Decimal(text) => decimal128(text)?,
        Value::Text(text) if money::is_money(ty) => Bson::Int64(money::cents(text)?),
        Value::Text(text) if is_document(ty) => {
            doc! { "t": text, "o": Vector::parse(text)?.sortable() }.into()
        }
        Value::Text(text) => match range::element(ty) {
            Some(element) => span::bson(text, &element)?,
            None => Bson::String(text.clone()),
        },
        Value::Bytes(bytes) => binary(BinarySubtype::Generic, bytes.clone()),
        Value::Uuid(uuid) => binary(BinarySubtype::Uuid, uuid.as_bytes().to_vec()),
        Value::Timestamptz(micros) | Value::Timestamp(micros) | Value::Time(micros) => Bson::Int64(*micros),
        Value::Date(days) => Bson::Int64(i64::from(*days)),
        Value::Interval { months, days, micros } => interval(*months, *days, *micros)?,
        Value::Json(text) if *ty == Type::Json => {
            // The text is kept apart, so what the value normalises away is not lost.
            let native = json::native(&jsonb::normalize(text)?)?;
            Bson::Document(doc! { "v": native, "t": text })
        }
        Value::Json(text) => Bson::Document(doc! { "v": json::native(text)? }),
        Value::Array(elements) => {
            let inner = match ty {
                Type::Array(inner) => inner.as_ref(),
                other => other,
            };
            Bson::Array(elements.iter().map(|element| bson(element, inner)).collect::<Result<_>>()?)
        }
    })
}

fn binary(subtype: BinarySubtype, bytes: Vec<u8>) -> Bson {
    Bson::Binary(Binary { subtype, bytes })
}

fn interval(months: i32, days: i32, micros: i64) -> Result<Bson> {
    const DAY: i128 = 86_400_000_000;
    let length = (i128::from(months) * 30 + i128::from(days)) * DAY + i128::from(micros);
    let length = decimal128(&length.to_string())?;
    Ok(Bson::Document(doc! { "t": length, "m": months, "d": days, "u": micros }))
}

/// A decimal in its text form; where the engine's numbers do not hold it, it stays a text.
///
/// # Errors
/// `Internal` for what is no decimal.
pub(crate) fn decimal128(text: &str) -> Result<Bson> {
    let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
    let scale = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if text == NAN || digits > 34 || scale > 6_000 {
        return Ok(Bson::String(text.to_owned()));
    }
    Decimal128::from_str(text)
        .map(Bson::Decimal128)
        .map_err(|error| Error::internal("a number can't be stored").with_source(error))
}

/// The value of a column of type `ty` from what is stored.
pub(crate) fn value(bson: &Bson, ty: &Type) -> Result<Value> {
    let found = match (bson, ty) {
        (Bson::Null | Bson::Undefined, _) => Some(Value::Null),
        (Bson::Boolean(value), _) => Some(Value::Bool(*value)),
        (_, Type::Int2 | Type::Int4 | Type::Int8) => {
            integer(bson).map(|number| in_range(number, ty)).transpose()?.map(Value::Int)
        }
        (Bson::String(text), Type::Float4 | Type::Float8) if text == NAN => Some(Value::Float(f64::NAN)),
        (_, Type::Float4 | Type::Float8) => float(bson).map(Value::Float),
        (_, Type::Numeric(_)) => number_text(bson).map(Value::Decimal),
        (_, Type::Timestamptz) => integer(bson).map(Value::Timestamptz),
        (_, Type::Timestamp) => integer(bson).map(Value::Timestamp),
        (_, Type::Time) => integer(bson).map(Value::Time),
        (_, Type::Date) => integer(bson).and_then(|days| i32::try_from(days).ok()).map(Value::Date),
        (Bson::Document(parts), Type::Interval) => interval_value(parts),
        (Bson::Document(parts), Type::Json | Type::Jsonb) => Some(Value::Json(written::text(parts))),
        (_, ty) if money::is_money(ty) => integer(bson).map(money::text).transpose()?.map(Value::Text),
        (Bson::Document(parts), Type::Other(name)) if name == "tstzrange" => {
            let text = parts.get_str("t").ok();
            text.map(|text| Range::parse(&Type::Timestamptz, text))
                .transpose()?
                .map(|span| Value::Text(span.to_text()))
        }
        (Bson::Document(parts), Type::Other(_)) => {
            parts.get_str("t").ok().map(|text| Value::Text(text.to_owned()))
        }
        (Bson::Binary(binary), Type::Uuid) => Uuid::from_slice(&binary.bytes).ok().map(Value::Uuid),
        (Bson::Binary(binary), _) => Some(Value::Bytes(binary.bytes.clone())),
        (Bson::Array(elements), Type::Array(inner)) => {
            let inner: &Type = inner;
            let element = |one: &Bson| match one {
                Bson::Array(_) => value(one, ty),
                _ => value(one, inner),
            };
            Some(Value::Array(elements.iter().map(element).collect::<Result<_>>()?))
        }
        (Bson::String(text), _) => Some(Value::Text(text.clone())),
        _ => None,
    };
    found.ok_or_else(|| Error::internal(format!("a stored value is no {}: {bson}", ty.sql_name())))
}

/// A whole number of a type, which what was computed may not be.
///
/// # Errors
/// 22003
fn in_range(number: i64, ty: &Type) -> Result<i64> {
    if is_in_range(number, ty) {
        return Ok(number);
    }
    Err(Error::new(ErrorKind::InvalidInput, "22003", format!("{} out of range", ty.sql_name())))
}

/// Whether a type holds a whole number.
pub(crate) fn is_in_range(number: i64, ty: &Type) -> bool {
    match ty {
        Type::Int2 => i16::try_from(number).is_ok(),
        Type::Int4 => i32::try_from(number).is_ok(),
        _ => true,
    }
}

fn interval_value(parts: &Document) -> Option<Value> {
    let part = |name: &str| parts.get(name).and_then(integer);
    Some(Value::Interval {
        months: i32::try_from(part("m")?).ok()?,
        days: i32::try_from(part("d")?).ok()?,
        micros: part("u")?,
    })
}

/// Whether values of a type are documents of full-text search.
pub(crate) fn is_document(ty: &Type) -> bool {
    matches!(ty, Type::Other(name) if name == "tsvector")
}

/// A stored integer of any width.
pub(crate) fn integer(bson: &Bson) -> Option<i64> {
    match bson {
        Bson::Int64(value) => Some(*value),
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Double(value) if value.fract() == 0.0 => Some(*value as i64),
        Bson::Decimal128(value) => decimal::canonical(&value.to_string()).ok()?.parse().ok(),
        _ => None,
    }
}

fn float(bson: &Bson) -> Option<f64> {
    match bson {
        Bson::Double(value) => Some(*value),
        Bson::Decimal128(value) => value.to_string().parse().ok(),
        other => integer(other).map(|value| value as f64),
    }
}

/// A stored number in PostgreSQL's text form of `numeric`.
pub(crate) fn number_text(bson: &Bson) -> Option<String> {
    match bson {
        Bson::Decimal128(value) => decimal::canonical(&value.to_string()).ok(),
        Bson::String(text) => Some(text.clone()),
        Bson::Double(value) => decimal::canonical(&value.to_string()).ok(),
        other => integer(other).map(|value| value.to_string()),
    }
}

/// The `_id` of a row: the value of its primary key, or a document of its values; none for a table
/// without one.
pub(crate) fn id(table: &Table, row: &Document) -> Option<Bson> {
    let get = |column: &String| row.get(field(column)).cloned().unwrap_or(Bson::Null);
    match table.primary_key.as_slice() {
        [] => None,
        [one] => Some(get(one)),
        several => Some(Bson::Document(several.iter().map(|column| (field(column), get(column))).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        for (ty, text) in [
            (Type::Int8, "9007199254740993"),
            (Type::Float8, "-0"),
            (Type::Float8, "NaN"),
            (Type::Numeric(None), "123456789012345678901.50"),
            (Type::Numeric(None), "NaN"),
            (Type::Numeric(None), "12345678901234567890123456789.123456789012345678901234567890"),
            (Type::Numeric(None), "100000000000000000000"),
            (Type::Interval, "1 mon 2 days 03:00:00"),
            (Type::Jsonb, r#"{"a": [1.50, null, {"$k.l": true}]}"#),
            (Type::Json, r#"{"b":1,"a":1.50,"b":2}"#),
            (Type::Date, "0044-03-15 BC"),
            (Type::Timestamptz, "infinity"),
            (Type::Other("int4range".into()), "[1,5]"),
            (Type::Other("tstzrange".into()), "(,2024-01-01 00:00:00+00]"),
            (Type::Other("tsvector".into()), "'a':1A,3 'b'"),
            (Type::Other("money".into()), "-$92,233,720,368,547,758.08"),
            (Type::Array(Box::new(Type::Int4)), "{{1,2},{3,NULL}}"),
        ] {
            let given = Value::parse(&ty, text).unwrap();
            let stored = bson(&given, &ty).unwrap();
            assert_eq!(value(&stored, &ty).unwrap().to_text_as(&ty), given.to_text_as(&ty), "{text}");
        }
    }
}
