//! PostgreSQL's expressions and queries as the engine's: policies, checks, defaults, generated
//! columns, views, functions.
//!
//! A translation means exactly what PostgreSQL means, or there is none: what is not known is
//! refused, never approximated.

mod aggregates;
mod arrays;
mod calls;
mod change;
mod condition;
mod convert;
mod distinct;
mod documents;
mod domains;
mod frame;
mod from;
mod letters;
mod lists;
mod moments;
mod numbers;
mod query;
mod records;
mod routine;
mod select;
mod settings;
mod texts;
mod titles;
mod value;
mod view;
mod windows;

use mongodb::bson::{Bson, Document};
use sqlparser::ast::{Expr, Query};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Result, Type};

use crate::plan::{Condition, Place, Planner};
use crate::term::{Term, Want};

pub(crate) use change::{Changes, unbounded};
pub(crate) use frame::meant;
use frame::{Call, Frame};
pub(crate) use query::lone_expression;
pub(crate) use select::{Rows, stored_form};
pub(crate) use value::ident;

/// Translates one expression or query.
pub(crate) struct Translator<'p, 'a> {
    pub(crate) planner: &'p mut Planner<'a>,
    frames: Vec<Frame>,
    /// Functions whose bodies are translated, the innermost last.
    calls: Vec<Call>,
    /// Queries of `with`, by name.
    named: Vec<(String, Query)>,
}

impl<'p, 'a> Translator<'p, 'a> {
    pub(crate) fn new(planner: &'p mut Planner<'a>) -> Self {
        Translator { planner, frames: Vec::new(), calls: Vec::new(), named: Vec::new() }
    }

    /// A translator of expressions about the rows of a place.
    fn at(planner: &'p mut Planner<'a>, place: &Place) -> Result<Self> {
        let mut translator = Translator::new(planner);
        let relation = translator.relation_of(place, &place.table.name)?;
        translator.frames.push(Frame::of(relation));
        Ok(translator)
    }

    /// The stages that the outermost expression asks for.
    fn stages(&mut self) -> Vec<Document> {
        self.frames.pop().map(|frame| frame.stages).unwrap_or_default()
    }

    /// A condition on the documents of a place.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn condition(
        planner: &'p mut Planner<'a>,
        place: &Place,
        text: &str,
        want: Want,
    ) -> Result<Condition> {
        let expr = parse(text)?;
        let mut translator = Translator::at(planner, place)?;
        let made = translator.truth(&expr, want)?;
        Ok(Condition { stages: translator.stages(), expr: made })
    }

    /// A value for a column of type `ty`; it may name the columns of `place`.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn value_of(
        planner: &'p mut Planner<'a>,
        place: Option<&Place>,
        text: &str,
        ty: &Type,
    ) -> Result<Term> {
        Translator::value_of_expr(planner, place, &parse(text)?, ty)
    }

    /// The same of an expression that was read already.
    ///
    /// # Errors
    /// 0A000 with the part that can't be translated.
    pub(crate) fn value_of_expr(
        planner: &'p mut Planner<'a>,
        place: Option<&Place>,
        expr: &Expr,
        ty: &Type,
    ) -> Result<Term> {
        let mut translator = match place {
            Some(place) => Translator::at(planner, place)?,
            None => Translator::new(planner),
        };
        let term = translator.value(expr, Some(ty))?;
        if !translator.stages().is_empty() {
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
