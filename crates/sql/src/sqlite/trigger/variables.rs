//! Variables of a body: as names, and as what a query puts into them.

use sqlparser::ast::{Expr, LimitClause, Query, SetExpr, Statement, Value};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::Catalog;

use super::Routine;
use crate::expression::Relation;
use crate::schema::type_named;
use crate::sqlite::write::statement_of;

/// The variables of a routine as names whose values are `cell`s.
pub(super) fn relation(catalog: &Catalog, routine: &Routine<'_>, cell: impl Fn(&str) -> String) -> Relation {
    let variables = &routine.body.variables;
    let columns = variables
        .iter()
        .map(|variable| (variable.name.clone(), type_named(catalog, &variable.type_name)))
        .collect();
    let cells = variables.iter().map(|variable| cell(&variable.name)).collect();
    Relation { cells: Some(cells), ..Relation::new("", columns) }
}

/// The type of a variable.
pub(super) fn type_of(catalog: &Catalog, routine: &Routine<'_>, name: &str) -> Type {
    let variable = routine.body.variables.iter().find(|variable| variable.name == name);
    variable.map_or(Type::Text, |variable| type_named(catalog, &variable.type_name))
}

/// The columns of a query's first row, each as a query of its own.
///
/// # Errors
/// What is no query, or has another number of columns.
pub(super) fn cells(sql: &str, wanted: usize) -> Result<Vec<Expr>> {
    let refused = || Error::unsupported(format!("\"into\" of this statement runs on PostgreSQL only: {sql}"));
    let Statement::Query(query) = statement_of(sql)? else { return Err(refused()) };
    let mut query = *query;
    if query.limit_clause.is_none() {
        let one = Expr::value(Value::Number("1".into(), false));
        query.limit_clause =
            Some(LimitClause::LimitOffset { limit: Some(one), offset: None, limit_by: vec![] });
    }
    if wanted == 1 {
        return Ok(vec![Expr::Subquery(Box::new(query))]);
    }
    let width = match query.body.as_ref() {
        SetExpr::Select(select) => select.projection.len(),
        _ => 0,
    };
    if width != wanted {
        return Err(refused());
    }
    Ok((0..wanted).map(|at| Expr::Subquery(Box::new(only(&query, at)))).collect())
}

fn only(query: &Query, at: usize) -> Query {
    let mut query = query.clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![select.projection[at].clone()];
    }
    query
}
