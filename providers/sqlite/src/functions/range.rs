//! Operators of ranges.

use rusqlite::functions::Context;
use rusqlite::{Connection, Result};
use truststream_kernel::Type;
use truststream_kernel::value::range::{Range, element};

use super::{PURE, text};
use crate::error::raise;

type Test = fn(&Range, &Range) -> bool;

/// Functions of two ranges and the name of their type.
const TESTS: [(&str, Test); 6] = [
    ("ts_range_contains", Range::contains),
    ("ts_range_overlaps", Range::overlaps),
    ("ts_range_left", Range::is_left_of),
    ("ts_range_not_right", Range::is_not_right_of),
    ("ts_range_not_left", Range::is_not_left_of),
    ("ts_range_adjacent", Range::is_adjacent_to),
];

pub(super) fn register(conn: &Connection) -> Result<()> {
    for (name, test) in TESTS {
        conn.create_scalar_function(name, 3, PURE, move |call: &Context<'_>| -> Result<Option<bool>> {
            let (Some(left), Some(right)) = (text(call, 0)?, text(call, 1)?) else { return Ok(None) };
            let ty = Type::parse(text(call, 2)?.unwrap_or_default());
            let Some(element) = element(&ty) else { return Ok(None) };
            let read = |text| Range::parse(&element, text).map_err(|error| raise(&error));
            Ok(Some(test(&read(left)?, &read(right)?)))
        })?;
    }
    Ok(())
}
