//! Aggregates.

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Aggregate, AggregateFunction, Item, Query};
use truststream_sql::quote::quote;

use super::field::Term;
use super::read::{Level, Out};
use super::{Planner, Scope};

/// Whether a `select` list aggregates.
pub(super) fn aggregates(query: &Query) -> bool {
    query
        .items
        .iter()
        .any(|item| matches!(item, Item::Count { .. } | Item::Column { aggregate: Some(_), .. }))
}

impl Planner<'_> {
    /// The groups of a query that aggregates, as a level of its own.
    pub(super) fn groups(&mut self, scope: &Scope, query: &Query, from: &str, tied: &str) -> Result<Level> {
        let mut terms: Vec<(String, Term)> = Vec::new();
        let mut keys = Vec::new();
        for item in &query.items {
            match item {
                Item::Count { alias, cast } => {
                    let term = Term { sql: "count(*)".to_owned(), ty: Type::Int8 };
                    let name = alias.clone().unwrap_or_else(|| "count".to_owned());
                    terms.push((name, self.cast(term, cast.as_ref())?));
                }
                Item::Column { field, alias, cast, aggregate } => {
                    let term = self.term(scope, field)?;
                    let term = self.cast(term, cast.as_ref())?;
                    let name = alias.clone();
                    match aggregate {
                        Some(aggregate) => {
                            let name = name.unwrap_or_else(|| function_name(aggregate.function).to_owned());
                            let term = aggregated(&term, aggregate)?;
                            terms.push((name, self.cast(term, aggregate.cast.as_ref())?));
                        }
                        None => {
                            keys.push(term.sql.clone());
                            terms.push((name.unwrap_or_else(|| super::read::name_of(field)), term));
                        }
                    }
                }
                Item::All | Item::Embed(_) => {
                    return Err(Error::unsupported(
                        "this database does not aggregate beside embedded resources or all columns",
                    ));
                }
            }
        }
        let selected: Vec<String> =
            terms.iter().enumerate().map(|(at, (_, term))| format!("{} AS c{at}", term.sql)).collect();
        let grouped = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
        let order = self.order(scope, query)?;
        let page = self.page(query);
        let alias = self.scope(&scope.table).alias;
        let from = format!(
            "(SELECT {} FROM {from} WHERE {tied}{grouped}{order}{page}) AS {alias}",
            selected.join(", ")
        );
        let fields = terms
            .into_iter()
            .enumerate()
            .map(|(at, (name, term))| {
                Out::new(name, Term { sql: format!("{alias}.{}", quote(&format!("c{at}"))), ..term })
            })
            .collect();
        Ok(Level::new(fields, from))
    }
}

fn function_name(function: AggregateFunction) -> &'static str {
    match function {
        AggregateFunction::Avg => "avg",
        AggregateFunction::Count => "count",
        AggregateFunction::Max => "max",
        AggregateFunction::Min => "min",
        AggregateFunction::Sum => "sum",
    }
}

fn aggregated(term: &Term, aggregate: &Aggregate) -> Result<Term> {
    let sql = &term.sql;
    let float = matches!(term.ty, Type::Float4 | Type::Float8);
    let numeric = Type::Numeric(None);
    let (sql, ty) = match aggregate.function {
        AggregateFunction::Count => (format!("count({sql})"), Type::Int8),
        AggregateFunction::Max | AggregateFunction::Min => {
            let collation = if matches!(term.ty, Type::Numeric(_)) { " COLLATE DECIMAL" } else { "" };
            (format!("{}({sql}{collation})", function_name(aggregate.function)), term.ty.clone())
        }
        _ if !term.ty.is_number() => {
            let name = function_name(aggregate.function);
            let message = format!("function {name}({}) does not exist", term.ty);
            return Err(Error::new(ErrorKind::InvalidInput, "42883", message));
        }
        AggregateFunction::Sum if float => (format!("sum({sql})"), term.ty.clone()),
        AggregateFunction::Sum if matches!(term.ty, Type::Int2 | Type::Int4) => {
            (format!("sum({sql})"), Type::Int8)
        }
        AggregateFunction::Sum => (format!("ts_sum({sql})"), numeric),
        AggregateFunction::Avg if float => (format!("avg({sql})"), Type::Float8),
        AggregateFunction::Avg => (format!("ts_avg({sql})"), numeric),
    };
    Ok(Term { sql, ty })
}
