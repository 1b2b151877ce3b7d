//! Which order and equality the texts of a type have, as a collation of SQLite's.

use std::cmp::Ordering;

use rusqlite::{Connection, Result};
use serde_json::Value as Json;
use truststream_kernel::value::range::{self, Range};
use truststream_kernel::value::tsvector::Vector;
use truststream_kernel::value::{calendar, decimal, letters, money};
use truststream_kernel::{Type, Value};
use truststream_services::database::Column;
use truststream_sql::expression::{compared_type, is_caseless};

use crate::functions::compare;

/// Types whose texts do not sort and compare as their values do. Arrays stand for their elements.
const MOMENTS: [(&str, &str, Type); 4] = [
    ("DATE", "ARRAY_DATE", Type::Date),
    ("TIMESTAMP", "ARRAY_TIMESTAMP", Type::Timestamp),
    ("TIMESTAMPTZ", "ARRAY_TIMESTAMPTZ", Type::Timestamptz),
    ("INTERVAL", "ARRAY_INTERVAL", Type::Interval),
];
const RANGES: [&str; 6] = ["int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"];

/// The collation that compares values of a type as PostgreSQL does; `None` where SQLite's own does.
pub(crate) fn of(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Numeric(_) => Some("DECIMAL"),
        Type::Jsonb => Some("JSONB"),
        Type::Date => Some("DATE"),
        Type::Interval => Some("INTERVAL"),
        Type::Array(element) => Some(of_array(element)),
        Type::Other(name) if name == "money" => Some("MONEY"),
        Type::Other(name) if name == "tsvector" => Some("TSVECTOR"),
        ty if is_caseless(ty) => Some("CITEXT"),
        Type::Other(name) => RANGES.into_iter().find(|range| range == name),
        _ => None,
    }
}

fn of_array(element: &Type) -> &'static str {
    match element {
        Type::Array(inner) => of_array(inner),
        Type::Jsonb => "ARRAY_JSONB",
        _ => MOMENTS.iter().find(|(_, _, ty)| ty == element).map_or("ARRAY", |(_, array, _)| array),
    }
}

/// The collation as SQL behind a term, with a space before it; nothing where there is none.
pub(crate) fn sql(ty: &Type) -> String {
    of(ty).map_or_else(String::new, |name| format!(" COLLATE {name}"))
}

/// The collation by which values of a column compare, as SQL.
pub(crate) fn of_column(column: &Column) -> String {
    sql(&compared_type(column))
}

/// Makes the collations known to a connection.
pub(crate) fn register(conn: &Connection) -> Result<()> {
    conn.create_collation("DECIMAL", decimal::compare)?;
    conn.create_collation("CITEXT", caseless)?;
    conn.create_collation("MONEY", money::compare)?;
    conn.create_collation("TSVECTOR", documents)?;
    conn.create_collation("JSONB", compare::order_of_texts)?;
    conn.create_collation("ARRAY", |left, right| arrays(left, right, scalars))?;
    conn.create_collation("ARRAY_JSONB", |left, right| arrays(left, right, compare::order))?;
    for (name, array, ty) in MOMENTS {
        let element = ty.clone();
        conn.create_collation(name, move |left, right| moments(&ty, left, right))?;
        conn.create_collation(array, move |left, right| {
            arrays(left, right, |left, right| match (left.as_str(), right.as_str()) {
                (Some(left), Some(right)) => moments(&element, left, right),
                _ => scalars(left, right),
            })
        })?;
    }
    for name in RANGES {
        let Some(element) = range::element(&Type::Other(name.to_owned())) else { continue };
        conn.create_collation(name, move |left, right| ranges(&element, left, right))?;
    }
    Ok(())
}

fn caseless(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    letters::to_lower(left).cmp(&letters::to_lower(right))
}

fn documents(left: &str, right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    match (Vector::parse(left), Vector::parse(right)) {
        (Ok(left), Ok(right)) => left.sortable().cmp(&right.sortable()),
        _ => left.cmp(right),
    }
}

fn moments(ty: &Type, left: &str, right: &str) -> Ordering {
    // Dates of four-digit years after Christ, nearly all, sort as their texts do.
    if left.len() == 10 && right.len() == 10 {
        return left.cmp(right);
    }
    match (Value::parse(ty, left).map(place), Value::parse(ty, right).map(place)) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

/// Where a date, timestamp or interval stands among its like.
fn place(value: Value) -> i128 {
    match value {
        Value::Date(days) => days.into(),
        Value::Timestamp(micros) | Value::Timestamptz(micros) => micros.into(),
        Value::Interval { months, days, micros } => {
            (i128::from(months) * 30 + i128::from(days)) * i128::from(calendar::DAY) + i128::from(micros)
        }
        _ => 0,
    }
}

fn ranges(element: &Type, left: &str, right: &str) -> Ordering {
    match (Range::parse(element, left), Range::parse(element, right)) {
        (Ok(left), Ok(right)) => left.order(&right),
        _ => left.cmp(right),
    }
}

/// Element by element whatever the dimensions, null above all; then by number and dimensions.
fn arrays(left: &str, right: &str, order: impl Fn(&Json, &Json) -> Ordering) -> Ordering {
    let (Ok(left), Ok(right)) = (serde_json::from_str::<Json>(left), serde_json::from_str::<Json>(right))
    else {
        return left.cmp(right);
    };
    let (mut flat, mut other) = (Vec::new(), Vec::new());
    flatten(&left, &mut flat);
    flatten(&right, &mut other);
    let differing = flat.iter().zip(&other).map(|(left, right)| match (left.is_null(), right.is_null()) {
        (false, false) => order(left, right),
        (left, right) => left.cmp(&right),
    });
    differing
        .into_iter()
        .find(|order| order.is_ne())
        .unwrap_or_else(|| flat.len().cmp(&other.len()))
        .then_with(|| shape(&left).cmp(&shape(&right)))
}

/// The elements of an array of any dimensions.
pub(crate) fn flatten<'j>(array: &'j Json, into: &mut Vec<&'j Json>) {
    match array {
        Json::Array(elements) => elements.iter().for_each(|element| flatten(element, into)),
        element => into.push(element),
    }
}

/// The number of dimensions and their lengths.
fn shape(array: &Json) -> (usize, Vec<usize>) {
    let mut lengths = Vec::new();
    let mut inner = array;
    while let Json::Array(elements) = inner {
        lengths.push(elements.len());
        match elements.first() {
            Some(first) => inner = first,
            None => break,
        }
    }
    (lengths.len(), lengths)
}

/// Texts by their bytes, numbers by their size; `NaN` and the infinities are texts among numbers.
fn scalars(left: &Json, right: &Json) -> Ordering {
    match (left, right) {
        (Json::String(left), Json::String(right)) => left.cmp(right),
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        _ => decimal::compare(&bare(left), &bare(right)),
    }
}

fn bare(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_their_values() {
        let conn = Connection::open_in_memory().unwrap();
        register(&conn).unwrap();
        for (ty, ascending) in [
            (
                Type::Date,
                ["-infinity", "0044-03-15 BC", "0044-03-15", "9999-01-01", "12024-01-01", "infinity"]
                    .as_slice(),
            ),
            (Type::parse("int[]"), &["[]", "[-2]", "[1]", "[1,2]", "[1,9]", "[10]", "[null]"]),
            (Type::parse("text[]"), &["[]", "[\"B\"]", "[\"a\"]", "[\"a\",null]", "[null]"]),
            (Type::parse("numeric[]"), &["[\"-Infinity\"]", "[1.5]", "[1.50,0]", "[10]", "[\"NaN\"]"]),
            (Type::parse("int[][]"), &["[1,2]", "[[1,2]]", "[[1],[2]]"]),
            (Type::parse("int4range"), &["empty", "(,5)", "[1,4)", "[1,)", "[2,3)"]),
            (Type::parse("tsvector"), &["", "'rat'", "'zebra'", "'a' 'b'", "'fat':2", "'fat':1"]),
            (Type::Interval, &["-1 days", "23:00:00", "1 day", "1 mon"]),
        ] {
            let name = of(&ty).unwrap();
            for (at, low) in ascending.iter().enumerate() {
                for (other, high) in ascending.iter().enumerate() {
                    let sql = format!("SELECT (?1 < ?2 COLLATE {name}) - (?1 > ?2 COLLATE {name})");
                    let found: i64 = conn.query_row(&sql, [low, high], |row| row.get(0)).unwrap();
                    let wanted = (other > at) as i64 - (other < at) as i64;
                    assert_eq!(found, wanted, "{ty} {low} {high}");
                }
            }
        }
    }
}
