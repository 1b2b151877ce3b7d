//! Arrays, which are stored as JSON, and what is made of texts and made into texts.
//!
//! <https://www.postgresql.org/docs/15/functions-array.html>

use serde_json::value::RawValue;
use truststream_kernel::{Error, Result, Value};

use super::text;

pub(super) const NULL: &str = "null";

fn elements(json: &str) -> Result<Vec<&RawValue>> {
    serde_json::from_str(json).map_err(|error| Error::internal("an array was expected").with_source(error))
}

/// The elements of the array at a place of the arguments; none if it is null.
fn items(arguments: &[Value], index: usize) -> Result<Vec<&str>> {
    match arguments.get(index) {
        Some(Value::Text(json)) => Ok(elements(json)?.into_iter().map(RawValue::get).collect()),
        _ => Ok(Vec::new()),
    }
}

/// A cell as an element.
fn item(arguments: &[Value], index: usize) -> String {
    arguments.get(index).map_or_else(|| NULL.to_owned(), Value::to_json)
}

pub(super) fn array<S: AsRef<str>>(items: &[S]) -> Value {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    Value::Text(format!("[{}]", items.join(",")))
}

/// What an element is as a text; nothing if it is null.
fn shown(item: &str) -> Option<String> {
    match item.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => serde_json::from_str(item).ok(),
        _ => Some(item.to_owned()),
    }
}

/// `array || array`, `array_cat`: a null is nothing beside an array.
pub(super) fn concatenated(arguments: &[Value]) -> Result<Value> {
    if arguments.iter().all(|array| matches!(array, Value::Null)) {
        return Ok(Value::Null);
    }
    let mut all = items(arguments, 0)?;
    all.extend(items(arguments, 1)?);
    Ok(array(&all))
}

/// `array || element`, `array_append`.
pub(super) fn append(arguments: &[Value]) -> Result<Value> {
    let mut all: Vec<String> = items(arguments, 0)?.into_iter().map(str::to_owned).collect();
    all.push(item(arguments, 1));
    Ok(array(&all))
}

/// `element || array`, `array_prepend`.
pub(super) fn prepend(arguments: &[Value]) -> Result<Value> {
    let mut all = vec![item(arguments, 0)];
    all.extend(items(arguments, 1)?.into_iter().map(str::to_owned));
    Ok(array(&all))
}

/// Whether two elements are the same: texts may be escaped differently.
fn same(left: &str, right: &str) -> bool {
    left == right || (left.starts_with('"') && right.starts_with('"') && shown(left) == shown(right))
}

/// `array_remove(array, element)`
pub(super) fn remove(arguments: &[Value]) -> Result<Value> {
    if matches!(arguments.first(), Some(Value::Null)) {
        return Ok(Value::Null);
    }
    let gone = item(arguments, 1);
    let mut left = items(arguments, 0)?;
    left.retain(|item| !same(item, &gone));
    Ok(array(&left))
}

/// `array_replace(array, element, other)`
pub(super) fn replace(arguments: &[Value]) -> Result<Value> {
    if matches!(arguments.first(), Some(Value::Null)) {
        return Ok(Value::Null);
    }
    let (from, to) = (item(arguments, 1), item(arguments, 2));
    let all = items(arguments, 0)?;
    let all: Vec<&str> =
        all.into_iter().map(|item| if same(item, &from) { to.as_str() } else { item }).collect();
    Ok(array(&all))
}

/// `array_position(array, element[, from])`
pub(super) fn position(arguments: &[Value]) -> Result<Value> {
    if matches!(arguments.first(), Some(Value::Null)) {
        return Ok(Value::Null);
    }
    let wanted = item(arguments, 1);
    let from = match arguments.get(2) {
        None => 1,
        Some(Value::Int(from)) => *from,
        Some(_) => return Err(Error::invalid_input("initial position must not be null")),
    };
    let skipped = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
    let all = items(arguments, 0)?;
    let found = all.iter().skip(skipped).position(|item| same(item, &wanted));
    let place = found.and_then(|at| i64::try_from(at + skipped + 1).ok());
    Ok(place.map_or(Value::Null, Value::Int))
}

/// `array_positions(array, element)`
pub(super) fn positions(arguments: &[Value]) -> Result<Value> {
    if matches!(arguments.first(), Some(Value::Null)) {
        return Ok(Value::Null);
    }
    let wanted = item(arguments, 1);
    let all = items(arguments, 0)?;
    let places = all.iter().enumerate().filter(|(_, item)| same(item, &wanted));
    Ok(array(&places.map(|(at, _)| (at + 1).to_string()).collect::<Vec<_>>()))
}

/// `array[from:to]`, of which either may be missing: a text stands for that.
pub(super) fn slice(arguments: &[Value]) -> Result<Value> {
    let all = elements(text(arguments, 0)?)?;
    let bound = |index: usize, missing: i64| match arguments.get(index) {
        Some(Value::Int(bound)) => *bound,
        _ => missing,
    };
    let from = usize::try_from(bound(1, 1).max(1) - 1).unwrap_or(usize::MAX);
    let to = usize::try_from(bound(2, i64::MAX).max(0)).unwrap_or(usize::MAX).min(all.len());
    let taken: Vec<&str> = all.get(from..to).unwrap_or_default().iter().map(|item| item.get()).collect();
    Ok(array(&taken))
}

/// `string_to_array(text, separator[, null])`. Without a separator every character is an element.
pub(super) fn of_text(arguments: &[Value]) -> Result<Value> {
    let Some(Value::Text(whole)) = arguments.first() else { return Ok(Value::Null) };
    let parts: Vec<String> = match arguments.get(1) {
        _ if whole.is_empty() => Vec::new(),
        Some(Value::Text(separator)) if separator.is_empty() => vec![whole.clone()],
        Some(Value::Text(separator)) => whole.split(separator.as_str()).map(str::to_owned).collect(),
        _ => whole.chars().map(String::from).collect(),
    };
    let null = match arguments.get(2) {
        Some(Value::Text(null)) => Some(null),
        _ => None,
    };
    let parts = parts.into_iter().map(|part| match null {
        Some(null) if part == *null => NULL.to_owned(),
        _ => Value::Text(part).to_json(),
    });
    Ok(array(&parts.collect::<Vec<_>>()))
}

/// `array_to_string(array, separator[, null])`: nulls are left out unless there is a text for them.
pub(super) fn to_text(arguments: &[Value]) -> Result<Value> {
    let (Some(Value::Text(_)), Some(Value::Text(separator))) = (arguments.first(), arguments.get(1)) else {
        return Ok(Value::Null);
    };
    let null = match arguments.get(2) {
        Some(Value::Text(null)) => Some(null),
        _ => None,
    };
    let all = items(arguments, 0)?;
    let parts: Vec<String> =
        all.into_iter().filter_map(|item| shown(item).or_else(|| null.cloned())).collect();
    Ok(Value::Text(parts.join(separator)))
}

/// `value = all (array)`, or with another operator: false if it is for one, else null if one is null.
pub(super) fn all(arguments: &[Value]) -> Result<Value> {
    let op = text(arguments, 0)?;
    let mut unknown = false;
    for item in items(arguments, 2)? {
        let order = match (&arguments[1], item.as_bytes().first()) {
            (Value::Null, _) | (_, Some(b'n')) => {
                unknown = true;
                continue;
            }
            (Value::Int(left), _) => item.parse::<i64>().ok().map(|right| left.cmp(&right)),
            (Value::Text(left), _) => shown(item).map(|right| left.as_str().cmp(&right)),
            _ => None,
        };
        let order = order.ok_or_else(|| Error::internal("elements of another type"))?;
        let holds = match op {
            "=" => order.is_eq(),
            "<>" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        };
        if !holds {
            return Ok(super::of_bool(false));
        }
    }
    Ok(if unknown { Value::Null } else { super::of_bool(true) })
}

/// `array_upper`, `array_ndims` and `array_lower` of an array without elements are null.
pub(super) fn bound(arguments: &[Value]) -> Result<Value> {
    let (which, count) = (text(arguments, 0)?, elements(text(arguments, 1)?)?.len());
    Ok(match which {
        _ if count == 0 => Value::Null,
        "upper" => Value::Int(i64::try_from(count).unwrap_or(i64::MAX)),
        _ => Value::Int(1),
    })
}
