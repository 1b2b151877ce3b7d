//! Containment and equality of JSON documents and arrays.

use std::cmp::Ordering;

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use serde_json::Value as Json;
use truststream_kernel::value::decimal;

use super::{PURE, text};
use crate::collation::flatten;

type Test = fn(&Json, &Json) -> bool;

pub(super) fn register(conn: &Connection) -> Result<()> {
    let tests: [(&str, Test); 4] = [
        ("ts_json_contains", |left, right| contains(left, right, true)),
        ("ts_json_equal", equal),
        ("ts_array_contains", |left, right| elements(right).iter().all(|one| has(&elements(left), one))),
        ("ts_array_overlaps", |left, right| elements(right).iter().any(|one| has(&elements(left), one))),
    ];
    for (name, test) in tests {
        conn.create_scalar_function(name, 2, PURE, move |call: &Context<'_>| -> Result<Option<bool>> {
            let (Some(left), Some(right)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
            Ok(Some(test(&parse(left)?, &parse(right)?)))
        })?;
    }
    conn.create_scalar_function("ts_ranks", 2, PURE, |call: &Context<'_>| -> Result<Option<String>> {
        let (Some(array), Some(labels)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
        let (mut array, labels) = (parse(array)?, parse(labels)?);
        replace_by_ranks(&mut array, &elements(&labels));
        Ok(Some(array.to_string()))
    })
}

/// Labels of an enum by where they stand among all of them.
fn replace_by_ranks(array: &mut Json, labels: &[&Json]) {
    match array {
        Json::Array(elements) => elements.iter_mut().for_each(|one| replace_by_ranks(one, labels)),
        Json::Null => {}
        label => *label = Json::from(labels.iter().position(|known| *known == label)),
    }
}

fn parse(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
}

/// The elements whatever the dimensions, as containment sees them.
fn elements(array: &Json) -> Vec<&Json> {
    let mut elements = Vec::new();
    flatten(array, &mut elements);
    elements
}

/// Whether an array has an element; null equals nothing.
fn has(elements: &[&Json], wanted: &Json) -> bool {
    !wanted.is_null() && elements.iter().any(|element| equal(element, wanted))
}

fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}

/// The order of jsonb documents given as text; texts that are none come in the order of texts.
pub(crate) fn order_of_texts(left: &str, right: &str) -> Ordering {
    match (serde_json::from_str(left), serde_json::from_str(right)) {
        (Ok(left), Ok(right)) => order(&left, &right),
        _ => left.cmp(right),
    }
}

/// PostgreSQL's order: objects above arrays above booleans above numbers above texts above null;
/// longer objects and arrays above shorter ones
/// (<https://www.postgresql.org/docs/15/datatype-json.html#JSON-INDEXING>).
pub(crate) fn order(left: &Json, right: &Json) -> Ordering {
    let rank = |value: &Json| match value {
        Json::Null => 0,
        Json::String(_) => 1,
        Json::Number(_) => 2,
        Json::Bool(_) => 3,
        Json::Array(_) => 4,
        Json::Object(_) => 5,
    };
    match (left, right) {
        (Json::String(left), Json::String(right)) => left.cmp(right),
        (Json::Number(left), Json::Number(right)) => decimal::compare(&left.to_string(), &right.to_string()),
        (Json::Bool(left), Json::Bool(right)) => left.cmp(right),
        (Json::Array(left), Json::Array(right)) => left
            .len()
            .cmp(&right.len())
            .then_with(|| first_difference(left.iter().zip(right).map(|(left, right)| order(left, right)))),
        (Json::Object(left), Json::Object(right)) => left.len().cmp(&right.len()).then_with(|| {
            first_difference(
                left.iter()
                    .zip(right)
                    .map(|((a, left), (b, right))| a.cmp(b).then_with(|| order(left, right))),
            )
        }),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// `@>` of jsonb; at the top an array contains a bare scalar too.
fn contains(left: &Json, right: &Json, top: bool) -> bool {
    match (left, right) {
        (Json::Object(left), Json::Object(right)) => right
            .iter()
            .all(|(key, wanted)| left.get(key).is_some_and(|value| contains(value, wanted, false))),
        (Json::Array(left), Json::Array(right)) => {
            right.iter().all(|wanted| left.iter().any(|value| contains(value, wanted, false)))
        }
        (Json::Array(left), scalar) if top && !scalar.is_object() => {
            left.iter().any(|value| equal(value, scalar))
        }
        _ => equal(left, right),
    }
}
