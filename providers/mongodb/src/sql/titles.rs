//! What the columns of a query are called, and how they are named within it.

use sqlparser::ast::{AccessExpr, Expr, Value as Literal};
use truststream_kernel::Result;
use truststream_sql::schema::table_name;

use super::select::Item;
use super::{ident, unsupported};

/// Refuses two columns of one name, where no other name tells them apart.
pub(super) fn unambiguous(items: Vec<Item>) -> Result<Vec<Item>> {
    for (at, item) in items.iter().enumerate() {
        if items[..at].iter().any(|other| other.name == item.name) {
            return Err(unsupported("two columns of one name: give one another name", &item.name));
        }
    }
    Ok(items)
}

/// The place of the item that a number means.
pub(super) fn numbered(expr: &Expr, count: usize) -> Option<usize> {
    let Expr::Value(value) = expr else { return None };
    let Literal::Number(text, _) = &value.value else { return None };
    text.parse::<usize>().ok().filter(|at| (1..=count).contains(at)).map(|at| at - 1)
}

/// Whether an expression is this name alone.
pub(super) fn is_name(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Identifier(one) if ident(one) == name)
}

/// What PostgreSQL calls a column that has no name of its own.
pub(super) fn natural_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => ident(name),
        Expr::CompoundIdentifier(names) => names.last().map(ident).unwrap_or_default(),
        Expr::Function(function) => table_name(&function.name).name,
        Expr::Cast { expr, .. } | Expr::Nested(expr) => natural_name(expr),
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Dot(Expr::Identifier(name))) => ident(name),
            _ => "?column?".to_owned(),
        },
        Expr::Case { .. } => "case".to_owned(),
        _ => "?column?".to_owned(),
    }
}
