//! Columns, JSON paths, casts, aggregates, orders.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Aggregate, Field, JsonKey, JsonStep, Nulls, Order};
use truststream_sql::quote;

use super::filter::column_type;
use crate::plan::{Hoisted, Node, Selected};
use crate::sql::Sql;

impl Node<'_> {
    /// How its rows are referred to in SQL.
    pub(crate) fn row(&self) -> String {
        match &self.alias {
            Some(alias) => quote::quote(alias),
            None => quote::qualified(&self.table),
        }
    }
}

/// `row."column"->'a'->>'b'`
pub(super) fn field(sql: &mut Sql, node: &Node<'_>, field: &Field) {
    let json = column_type(node, field).is_some_and(|ty| ty == "json" || ty == "jsonb");
    field_of(sql, &node.row(), field, json);
}

/// The same for a row given by its name in SQL.
pub(super) fn field_of(sql: &mut Sql, row: &str, field: &Field, json: bool) {
    let convert = !field.path.is_empty() && !json;
    if convert {
        sql.push("to_jsonb(");
    }
    sql.push(row).push(".");
    if field.name == "*" {
        sql.push("*");
    } else {
        sql.name(&field.name);
    }
    if convert {
        sql.push(")");
    }
    path(sql, &field.path);
}

fn path(sql: &mut Sql, path: &[JsonStep]) {
    for step in path {
        sql.push(if step.as_text { "->>" } else { "->" });
        match &step.key {
            JsonKey::Key(key) => sql.bind(key.clone()),
            JsonKey::Index(index) => sql.bind(index.to_string()).push("::int"),
        };
    }
}

/// One item of a select list, with its name.
pub(super) fn selected(sql: &mut Sql, node: &Node<'_>, item: &Selected, hoists: bool) -> Result<()> {
    let aggregate = item.aggregate.as_ref().filter(|_| !hoists);
    let value = sql.text.len();
    match &item.represented_by {
        Some(function) => {
            sql.push(function).push("(");
            field(sql, node, &item.field);
            sql.push(")");
        }
        None if item.full_row && hoists => {
            sql.push(&node.row());
        }
        None if item.field.name == "*" && aggregate.is_some() => {
            sql.push("*");
        }
        None => field(sql, node, &item.field),
    }
    if let Some(ty) = &item.cast {
        cast(sql, value, ty)?;
    }
    if let Some(aggregate) = aggregate {
        aggregated(sql, value, aggregate)?;
    }
    if let Some(alias) = &item.alias {
        sql.push(" AS ").name(alias);
    }
    Ok(())
}

/// One item that a spread puts into its parent.
pub(super) fn hoisted(sql: &mut Sql, joined: &str, item: &Hoisted) -> Result<()> {
    let value = sql.text.len();
    sql.name(joined);
    if item.name == "*" {
        sql.push(".*");
    } else {
        sql.push(".").name(&item.name);
    }
    if let Some(aggregate) = &item.aggregate {
        aggregated(sql, value, aggregate)?;
    }
    if let Some(alias) = &item.alias {
        sql.push(" AS ").name(alias);
    }
    Ok(())
}

/// Aggregates the value that begins at a place in the text.
fn aggregated(sql: &mut Sql, value: usize, aggregate: &Aggregate) -> Result<()> {
    sql.text.insert(value, '(');
    sql.text.insert_str(value, aggregate.function.name());
    sql.push(")");
    match &aggregate.cast {
        Some(ty) => cast(sql, value, ty),
        None => Ok(()),
    }
}

/// Casts the value that begins at a place in the text. Type names can't be bound, and quoting would change
/// their meaning: only what looks like a type name passes.
fn cast(sql: &mut Sql, value: usize, ty: &str) -> Result<()> {
    if !is_type_name(ty) {
        return Err(Error::new(ErrorKind::InvalidInput, "42704", format!("type \"{ty}\" does not exist")));
    }
    sql.text.insert_str(value, "CAST( ");
    sql.push(" AS ").push(ty).push(" )");
    Ok(())
}

fn is_type_name(ty: &str) -> bool {
    let bare = ty.trim_end_matches("[]");
    let (words, arguments) = match bare.split_once('(') {
        Some((words, rest)) => match rest.split_once(')') {
            Some((arguments, after)) => (format!("{words}{after}"), arguments),
            None => return false,
        },
        None => (bare.to_owned(), ""),
    };
    words.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && words.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '.' | '$'))
        && arguments.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
}

/// `ORDER BY …`
pub(super) fn order(sql: &mut Sql, node: &Node<'_>) {
    if node.order.is_empty() {
        return;
    }
    sql.push(" ORDER BY ");
    sql.list(node.order, ", ", |sql, term| order_term(sql, node, term));
}

fn order_term(sql: &mut Sql, node: &Node<'_>, term: &Order) {
    match term.relation.as_ref().and_then(|name| node.embedded(name)) {
        Some(embedded) => field_of(sql, &quote::quote(&embedded.joined), &term.field, false),
        None => field(sql, node, &term.field),
    }
    if term.descending {
        sql.push(" DESC");
    }
    match term.nulls {
        Some(Nulls::First) => {
            sql.push(" NULLS FIRST");
        }
        Some(Nulls::Last) => {
            sql.push(" NULLS LAST");
        }
        None => {}
    }
}

/// `LIMIT … OFFSET …`
pub(super) fn range(sql: &mut Sql, limit: Option<u64>, offset: u64) {
    if let Some(limit) = limit {
        sql.push(" LIMIT ").bind(limit.to_string());
    }
    if offset > 0 {
        sql.push(" OFFSET ").bind(offset.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::is_type_name;

    #[test]
    fn only_type_names_pass() {
        for ty in ["text", "numeric(10,2)", "timestamp (3) with time zone", "int[]", "my.kind", "int8"] {
            assert!(is_type_name(ty), "{ty}");
        }
        for ty in ["", "text) from x --", "int; drop", "a'b", "text(select 1)", "1", "\"x\""] {
            assert!(!is_type_name(ty), "{ty}");
        }
    }
}
