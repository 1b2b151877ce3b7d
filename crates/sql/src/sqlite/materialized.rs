//! Materialized views: tables of SQLite that are filled with what a query gives.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Function, Table, TableName};

use crate::expression::{Scope, file_name};
use crate::plpgsql::{Step, read_whole};
use crate::quote::quote;
use crate::schema::{Own, Statement, no_such_table, parse, view_query};

/// The materialized view that a statement refreshes, if that is what it does.
pub fn refreshed(sql: &str) -> Option<TableName> {
    match parse(sql).ok()?.as_slice() {
        [only] => view_of(only),
        _ => None,
    }
}

/// The materialized views that a function refreshes, if that is all it does.
pub fn refreshes(function: &Function) -> Option<Vec<TableName>> {
    let body = function.body.as_deref()?;
    let views: Option<Vec<_>> = match function.language.as_str() {
        "sql" => parse(body).ok()?.iter().map(view_of).collect(),
        "plpgsql" => {
            let steps = read_whole(body).ok().filter(|body| body.variables.is_empty())?.steps;
            let view = |step: &Step| match step {
                Step::Sql(sql) => Some(refreshed(sql)),
                Step::Nothing => None,
                Step::Return(value) if value.is_empty() => None,
                _ => Some(None),
            };
            steps.iter().filter_map(view).collect()
        }
        _ => return None,
    };
    views.filter(|views| !views.is_empty())
}

fn view_of(statement: &Statement) -> Option<TableName> {
    match &statement.own {
        Some(Own::Refresh(view)) => Some(view.clone()),
        _ => None,
    }
}

/// What fills a materialized view anew.
///
/// # Errors
/// 42P01 for a view that there is not, 42809 for what is none.
pub fn refresh(catalog: &Catalog, name: &TableName) -> Result<Vec<String>> {
    let view = catalog.table(name).ok_or_else(|| no_such_table(name))?;
    if !view.is_materialized() {
        let message = format!("\"{}\" is not a materialized view", name.name);
        return Err(Error::new(ErrorKind::InvalidInput, "42809", message));
    }
    Ok(vec![format!("DELETE FROM {}", quote(&file_name(name))), filling(catalog, name, view)?])
}

/// What fills an empty materialized view.
///
/// # Errors
/// What of its query can't be translated.
pub fn filling(catalog: &Catalog, name: &TableName, view: &Table) -> Result<String> {
    let query = view_query(&Scope::new(catalog), view).map_err(Error::from)?;
    let columns: Vec<String> = view.columns.iter().map(|column| quote(&column.name)).collect();
    Ok(format!("INSERT INTO {} ({}) {query}", quote(&file_name(name)), columns.join(", ")))
}
