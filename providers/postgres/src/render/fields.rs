//! Columns, JSON paths, casts, aggregates, orders.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Aggregate, Field, JsonKey, JsonStep, Nulls, Order};
use truststream_sql::quote;

use super::filter::column_type;
use crate::plan::function_name;
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
    let mut value = Sql { params: std::mem::take(&mut sql.params), ..Sql::default() };
    match &item.represented_by {
        Some(function) => {
            value.push(function).push("(");
            field(&mut value, node, &item.field);
            value.push(")");
        }
        None if item.full_row && hoists => {
            value.push(&node.row());
        }
        None if item.field.name == "*" && aggregate.is_some() => {
            value.push("*");
        }
        None => field(&mut value, node, &item.field),
    }
    if let Some(ty) = &item.cast {
        cast(&mut value, ty)?;
    }
    if let Some(aggregate) = aggregate {
        aggregated(&mut value, aggregate)?;
    }
    sql.params = value.params;
    sql.push(&value.text);
    if let Some(alias) = &item.alias {
        sql.push(" AS ").name(alias);
    }
    Ok(())
}

/// One item that a spread puts into its parent.
pub(super) fn hoisted(sql: &mut Sql, joined: &str, item: &Hoisted) -> Result<()> {
    let mut value = Sql::new(quote::quote(joined));
    if item.name == "*" {
        value.push(".*");
    } else {
        value.push(".").name(&item.name);
    }
    if let Some(aggregate) = &item.aggregate {
        aggregated(&mut value, aggregate)?;
    }
    sql.push(&value.text);
    if let Some(alias) = &item.alias {
        sql.push(" AS ").name(alias);
    }
    Ok(())
}

fn aggregated(value: &mut Sql, aggregate: &Aggregate) -> Result<()> {
    value.text = format!("{}({})", function_name(aggregate.function), value.text);
    match &aggregate.cast {
        Some(ty) => cast(value, ty),
        None => Ok(()),
    }
}

/// Type names can't be bound, and quoting would change their meaning: only what looks like a type
/// name passes.
fn cast(value: &mut Sql, ty: &str) -> Result<()> {
    if !is_type_name(ty) {
        return Err(Error::new(ErrorKind::InvalidInput, "42704", format!("type \"{ty}\" does not exist")));
    }
    value.text = format!("CAST( {} AS {ty} )", value.text);
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
