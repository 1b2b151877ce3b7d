//! PostgreSQL's expressions as the engine's: policies, checks, defaults, generated columns.
//!
//! A translation means exactly what PostgreSQL means, or there is none: what is not known is
//! refused, never approximated.

mod arrays;
mod calls;
mod condition;
mod query;
mod value;

use mongodb::bson::{Bson, Document};
use sqlparser::ast::Expr;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::TableName;

use crate::plan::{Condition, Planner};
use crate::term::{Term, Want};

pub(crate) use value::ident;

/// One table whose columns an expression may name, and the `$lookup` that brings its documents.
struct Frame {
    table: TableName,
    /// What the table is called in the expression.
    name: String,
    /// Values of outer documents that are handed in.
    lets: Document,
    /// Stages that come before the expression.
    stages: Vec<Document>,
}

/// Translates one expression.
pub(crate) struct Translator<'p, 'a> {
    planner: &'p mut Planner<'a>,
    frames: Vec<Frame>,
}

impl<'p, 'a> Translator<'p, 'a> {
    fn new(planner: &'p mut Planner<'a>, table: Option<&TableName>) -> Self {
        let frame = |table: &TableName| Frame {
            table: table.clone(),
            name: table.name.clone(),
            lets: Document::new(),
            stages: Vec::new(),
        };
        Translator { planner, frames: table.map(frame).into_iter().collect() }
    }

    /// A condition on the documents of a table.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn condition(
        planner: &'p mut Planner<'a>,
        table: &TableName,
        text: &str,
        want: Want,
    ) -> Result<Condition> {
        let expr = parse(text)?;
        let mut translator = Translator::new(planner, Some(table));
        let made = translator.truth(&expr, want)?;
        let stages = translator.frames.pop().map(|frame| frame.stages).unwrap_or_default();
        Ok(Condition { stages, expr: made })
    }

    /// A value for a column of type `ty`; it may name the columns of `table`.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn value_of(
        planner: &'p mut Planner<'a>,
        table: Option<&TableName>,
        text: &str,
        ty: &Type,
    ) -> Result<Term> {
        Translator::value_of_expr(planner, table, &parse(text)?, ty)
    }

    /// The same of an expression that was read already.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn value_of_expr(
        planner: &'p mut Planner<'a>,
        table: Option<&TableName>,
        expr: &Expr,
        ty: &Type,
    ) -> Result<Term> {
        let mut translator = Translator::new(planner, table);
        let term = translator.value(expr, Some(ty))?;
        if translator.frames.iter().any(|frame| !frame.stages.is_empty()) {
            return Err(unsupported("a sub-select", expr));
        }
        Ok(term)
    }
}

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expr> {
    Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(64)
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr())
        .map_err(|error| unsupported("an expression that can't be read", text).with_source(error))
}

fn unsupported(reason: &str, part: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("this database has nothing for {reason}: {part}"))
}

/// A function of the aggregation language.
fn call(name: &str, arguments: impl Into<Bson>) -> Bson {
    Bson::Document(Document::from_iter([(name.to_owned(), arguments.into())]))
}
