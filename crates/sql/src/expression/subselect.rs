//! Sub-selects in the place of a value.

use sqlparser::ast::{Expr, GroupByExpr, Query, SelectItem, SetExpr};

use super::aggregates::AGGREGATES;
use crate::quote::quote;
use crate::schema::table_name;

/// A sub-select in the place of a value, which is an error if it gives several rows.
pub(super) fn at_most_one(query: &Query, sql: &str, column: &str) -> String {
    let SetExpr::Select(select) = query.body.as_ref() else { return guarded(sql, column) };
    let aggregates = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias { expr: Expr::Function(function), .. } => {
            function.over.is_none() && AGGREGATES.contains(&table_name(&function.name).name.as_str())
        }
        _ => false,
    };
    let ungrouped = matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    let one = select.from.is_empty() || (ungrouped && select.projection.iter().any(aggregates));
    let limited = query.limit_clause.as_ref().is_some_and(|limit| limit.to_string().trim() == "LIMIT 1");
    if one || limited { format!("({sql})") } else { guarded(sql, column) }
}

fn guarded(sql: &str, column: &str) -> String {
    let column = quote(column);
    format!(
        "(SELECT CASE WHEN count(*) > 1 THEN ts_raise('21000', 'more than one row returned by a subquery used \
         as an expression') ELSE max({column}) END FROM (SELECT {column} FROM ({sql}) LIMIT 2))"
    )
}
