//! Orders: `a.desc.nullslast,info->>year,artist(name).asc`.

use truststream_kernel::Result;

use super::cursor::Cursor;
use super::name::{field, name};
use crate::database::{Nulls, Order};

/// Parses an `order` list.
///
/// # Errors
/// PGRST100.
pub fn parse_order(text: &str) -> Result<Vec<Order>> {
    let mut cursor = Cursor::new("order", text);
    let mut terms = Vec::new();
    loop {
        cursor.take_while(char::is_whitespace);
        terms.push(term(&mut cursor)?);
        if cursor.is_done() {
            return Ok(terms);
        }
        if !cursor.take(",") {
            return Err(cursor.expected("\",\" or end of input"));
        }
    }
}

fn term(cursor: &mut Cursor<'_>) -> Result<Order> {
    let before = *cursor;
    let relation = name(cursor)?;
    let (relation, field) = if cursor.take("(") {
        let field = field(cursor)?;
        if !cursor.take(")") {
            return Err(cursor.expected("\")\""));
        }
        (Some(relation), field)
    } else {
        *cursor = before;
        (None, field(cursor)?)
    };
    let mut order = Order { relation, field, descending: false, nulls: None };
    if cursor.take(".asc") {
        order.descending = false;
    } else if cursor.take(".desc") {
        order.descending = true;
    }
    if cursor.take(".nullsfirst") {
        order.nulls = Some(Nulls::First);
    } else if cursor.take(".nullslast") {
        order.nulls = Some(Nulls::Last);
    }
    if cursor.peek() == Some('.') {
        cursor.next();
        return Err(cursor.expected("\"asc\", \"desc\", \"nullsfirst\" or \"nullslast\""));
    }
    Ok(order)
}
