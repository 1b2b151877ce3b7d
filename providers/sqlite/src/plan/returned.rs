//! What a query takes of the rows that a function returned.

use rusqlite::types::Value as Cell;
use truststream_kernel::{Context, Result};
use truststream_services::database::{Query, TableName};
use truststream_sql::quote::quote;

use super::cache::Purpose;
use super::read::{Out, Statement, all};
use super::{Planner, Scope};
use crate::schema::Schema;

/// Rows that a function returned.
#[derive(Debug)]
pub(crate) struct Returned {
    /// The table they are like.
    pub(crate) table: TableName,
    /// The query that gives them.
    pub(crate) sql: String,
    /// Its parameters.
    pub(crate) parameters: Vec<Cell>,
    /// Each is one value and no row.
    pub(crate) scalar: bool,
}

/// The statement that gives a query's part of them.
pub(crate) fn returned(
    schema: &Schema,
    cx: &Context,
    purpose: Purpose,
    query: &Query,
    rows: &Returned,
) -> Result<Statement> {
    planned(schema, cx, rows, |planner, scope, from| {
        if purpose == Purpose::Count {
            planner.counting = true;
            let conditions = all(planner.conditions(scope, query)?);
            return Ok((format!("SELECT count(*) FROM {from} WHERE {conditions}"), Vec::new()));
        }
        let level = planner.level(scope, query, from, Vec::new())?;
        if purpose == Purpose::Rows {
            let columns: Vec<&str> = level.fields.iter().map(|field| field.term.sql.as_str()).collect();
            let columns = if columns.is_empty() { "1".to_owned() } else { columns.join(", ") };
            return Ok((format!("SELECT {columns} FROM {}", level.from), level.fields));
        }
        Ok((format!("SELECT json_group_array({}), count(*) FROM {}", level.object, level.from), level.fields))
    })
}

/// The statement that gives values which are no rows: one JSON array, and how many they are.
pub(crate) fn values(schema: &Schema, cx: &Context, query: &Query, rows: &Returned) -> Result<Statement> {
    planned(schema, cx, rows, |planner, scope, from| {
        let level = planner.level(scope, query, from, Vec::new())?;
        let value = level.fields.first().map_or("NULL", |field| field.json.as_str());
        Ok((format!("SELECT json_group_array({value}), count(*) FROM {}", level.from), level.fields))
    })
}

fn planned<'a>(
    schema: &'a Schema,
    cx: &'a Context,
    rows: &Returned,
    plan: impl FnOnce(&mut Planner<'a>, &Scope, String) -> Result<(String, Vec<Out>)>,
) -> Result<Statement> {
    let mut planner = Planner::new(schema, cx);
    planner.parameters.clone_from(&rows.parameters);
    planner.returned = true;
    let scope = planner.scope(&rows.table);
    let from = format!("({}) AS {}", rows.sql, quote(&scope.alias));
    let (sql, fields) = plan(&mut planner, &scope, from)?;
    // All of them must be named for all of them to be bound.
    let given: Vec<String> = (1..=rows.parameters.len()).map(|at| format!("?{at}")).collect();
    let sql = match given.as_slice() {
        [] => sql,
        given => format!("WITH given AS (SELECT {}) {sql}", given.join(", ")),
    };
    Ok(Statement::new(sql, planner.parameters, fields))
}
