//! The `select` list.

use truststream_kernel::Result;

use super::cursor::Cursor;
use super::name::{name, path};
use crate::database::{Aggregate, AggregateFunction, Embed, Field, Item, Query};

/// Deepest nesting of embeds; deeper ones are refused before any work.
const DEEPEST: usize = 32;
/// Most columns and embeds of one list; PostgreSQL itself has 1664.
const WIDEST: usize = 1000;

/// Parses a `select` list such as `title,year:info->>year,artist(name)`.
///
/// # Errors
/// PGRST100.
pub fn parse_select(text: &str) -> Result<Vec<Item>> {
    let mut cursor = Cursor::new("select parameter", text);
    if cursor.is_done() {
        return Ok(Vec::new());
    }
    // What comes behind a whole list (a parenthesis too many) is passed over, as PostgREST does.
    items(&mut cursor, 0)
}

fn items(cursor: &mut Cursor<'_>, depth: usize) -> Result<Vec<Item>> {
    if depth > DEEPEST {
        return Err(cursor.beyond(DEEPEST, "resources inside one another"));
    }
    let mut items = Vec::new();
    skip_spaces(cursor);
    if cursor.peek() == Some(')') {
        return Ok(items);
    }
    loop {
        skip_spaces(cursor);
        items.push(item(cursor, depth)?);
        if items.len() > WIDEST {
            return Err(cursor.beyond(WIDEST, "columns side by side"));
        }
        skip_spaces(cursor);
        if !cursor.take(",") {
            return Ok(items);
        }
    }
}

fn skip_spaces(cursor: &mut Cursor<'_>) {
    if cursor.peek().is_some_and(char::is_whitespace) {
        cursor.take_while(char::is_whitespace);
    }
}

fn item(cursor: &mut Cursor<'_>, depth: usize) -> Result<Item> {
    if let Some(column) = plain(cursor) {
        return Ok(Item::column(column));
    }
    if cursor.take("...") {
        let relation = name(cursor)?;
        return embed(cursor, relation, None, true, depth);
    }
    if cursor.take("*") {
        return Ok(Item::All);
    }
    if cursor.take("count()") {
        return Ok(Item::Count { alias: None, cast: cast(cursor)? });
    }
    let (mut alias, mut named) = (None, name(cursor)?);
    if cursor.peek() == Some(':') && !cursor.rest().starts_with("::") {
        cursor.next();
        alias = Some(named);
        if cursor.take("count()") {
            return Ok(Item::Count { alias, cast: cast(cursor)? });
        }
        named = name(cursor)?;
    }
    if matches!(cursor.peek(), Some('!' | '(')) {
        return embed(cursor, named, alias, false, depth);
    }
    let field = Field { name: named, path: path(cursor)? };
    let cast_before = cast(cursor)?;
    let aggregate = aggregate(cursor)?;
    Ok(Item::Column { field, alias, cast: cast_before, aggregate })
}

/// A column with nothing to it, as most items are.
fn plain<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    let mut ahead = *cursor;
    let column = ahead.take_plain()?;
    if !matches!(ahead.peek(), None | Some(',' | ')')) {
        return None;
    }
    *cursor = ahead;
    Some(column)
}

fn embed(
    cursor: &mut Cursor<'_>,
    relation: String,
    alias: Option<String>,
    spread: bool,
    depth: usize,
) -> Result<Item> {
    let (mut hint, mut inner) = (None, false);
    while cursor.take("!") {
        match name(cursor)?.as_str() {
            "inner" => inner = true,
            "left" => inner = false,
            other => hint = Some(other.to_owned()),
        }
    }
    if !cursor.take("(") {
        return Err(cursor.expected("\"(\""));
    }
    let items = items(cursor, depth + 1)?;
    if !cursor.take(")") {
        return Err(cursor.expected("\",\" or \")\""));
    }
    let query = Query { items, ..Query::default() };
    Ok(Item::Embed(Embed { relation, alias, hint, inner, spread, query }))
}

fn cast(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if !cursor.take("::") {
        return Ok(None);
    }
    let ty = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '[' | ']' | '$'));
    if ty.trim().is_empty() { Err(cursor.expected("a type name")) } else { Ok(Some(ty.trim().to_owned())) }
}

fn aggregate(cursor: &mut Cursor<'_>) -> Result<Option<Aggregate>> {
    if !cursor.take(".") {
        return Ok(None);
    }
    let function = match cursor.take_while(|c| c.is_ascii_alphabetic()) {
        "avg" => AggregateFunction::Avg,
        "count" => AggregateFunction::Count,
        "max" => AggregateFunction::Max,
        "min" => AggregateFunction::Min,
        "sum" => AggregateFunction::Sum,
        _ => return Err(cursor.expected("avg, count, max, min or sum")),
    };
    if !cursor.take("()") {
        return Err(cursor.expected("\"()\""));
    }
    Ok(Some(Aggregate { function, cast: cast(cursor)? }))
}
