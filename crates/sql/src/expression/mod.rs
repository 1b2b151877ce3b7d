//! PostgreSQL expressions as SQLite's: policies, checks, defaults, generated columns, predicates.
//!
//! A translation means exactly what PostgreSQL means, or there is none: what is not known is
//! refused ([`Unsupported`]), never approximated. Values are compared in the forms SQLite stores
//! them in, so literals are turned into those when an expression is translated.
//!
//! The result calls functions that the SQLite provider registers: the pure ones of
//! [`functions::FUNCTIONS`] and its own (`ts_cast`, `ts_get`, `ts_like`, `ts_match`,
//! `ts_json_contains`, `ts_array_contains`, `ts_auth_uid`, `ts_now`, …).

mod aggregates;
mod arithmetic;
mod arrays;
pub(crate) mod bits;
mod calls;
mod caseless;
mod cast;
mod casts;
mod compare;
mod conditions;
mod documents;
mod domains;
mod edits;
mod formats;
mod from;
pub mod functions;
mod json;
mod moments;
mod names;
mod numbers;
mod overloads;
mod patterns;
mod query;
mod records;
mod routines;
mod row_functions;
mod row_sources;
mod search;
mod select;
mod signatures;
mod spans;
mod subselect;
mod translate;

#[cfg(test)]
mod tests;

use sqlparser::ast::Expr;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Type};
use truststream_services::database::{Catalog, Index, TableName};

pub(crate) use aggregates::is_aggregate;
pub(crate) use arithmetic::NO_REST_OF_FLOATS;
pub use caseless::{compared_type, is_caseless};
pub(crate) use cast::is_text;
pub use cast::stored_literal;
pub use casts::cast_value;
pub(crate) use casts::unheld_casts;
pub use documents::as_json;
pub(crate) use from::file_name;
pub(crate) use names::Relation;
pub(crate) use query::Columns;
pub(crate) use query::known;
pub(crate) use routines::query_of;
pub use routines::{SCALAR, lone_expression, parameter_type, result_columns, result_table, statements};
pub(crate) use row_functions::check_row_function;
pub use row_functions::{computed_rows, computed_value};
pub use search::{Candidates, Document, indexed_document};
pub(crate) use signatures::TEXTS;
pub(crate) use translate::{Rights, Translator};

/// What can't be translated, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The part of the expression.
    pub text: String,
    /// Why.
    pub reason: String,
    /// The SQLSTATE, where it is no matter of what SQLite can do.
    pub code: Option<String>,
}

impl Unsupported {
    pub(crate) fn new(text: impl ToString, reason: impl Into<String>) -> Self {
        Unsupported { text: text.to_string(), reason: reason.into(), code: None }
    }

    /// There is no such table.
    pub(crate) fn missing(name: &TableName) -> Self {
        Unsupported::carried(&crate::schema::no_such_table(name))
    }

    /// An error met on the way, such as that a table is closed to the caller.
    pub fn carried(error: &Error) -> Self {
        Unsupported {
            text: String::new(),
            reason: error.message().to_owned(),
            code: Some(error.code().to_owned()),
        }
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.reason, self.text)
    }
}

impl std::error::Error for Unsupported {}

impl From<Unsupported> for Error {
    fn from(unsupported: Unsupported) -> Self {
        match unsupported.code {
            None => Error::unsupported(unsupported.to_string()),
            Some(code) if code == "42501" => Error::permission_denied(unsupported.reason),
            Some(code) if code == "0A000" => Error::unsupported(unsupported.reason),
            Some(code) => Error::new(truststream_kernel::ErrorKind::InvalidInput, code, unsupported.reason),
        }
    }
}

/// What stands for a table in a translated sub-select.
pub type Source<'a> = dyn Fn(&TableName) -> Result<String, Unsupported> + 'a;

/// What the names in an expression mean.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The tables and types there are.
    pub catalog: &'a Catalog,
    /// The table whose columns the expression may name.
    pub table: Option<&'a TableName>,
    /// What qualifies those columns in the result; nothing in a check or an index.
    pub alias: Option<&'a str>,
    /// What sub-selects read from for a table; the table itself if absent. A provider gives a
    /// sub-select that its caller's policies filter. It is put before ` AS "p1"`.
    pub source: Option<&'a Source<'a>>,
    /// Who calls, where grants on functions hold for them.
    pub role: Option<&'a str>,
    /// What indexes of words know of the rows that a search finds.
    pub candidates: Option<&'a Candidates<'a>>,
}

impl<'a> Scope<'a> {
    /// A scope in which no column can be named.
    pub fn new(catalog: &'a Catalog) -> Self {
        Scope { catalog, table: None, alias: None, source: None, role: None, candidates: None }
    }

    /// The columns of a table, not qualified.
    pub fn of_table(catalog: &'a Catalog, table: &'a TableName) -> Self {
        Scope { table: Some(table), ..Scope::new(catalog) }
    }
}

/// Translates a condition. The result is 1, 0 or null.
///
/// # Errors
/// The part that can't be translated, and why.
pub fn condition(text: &str, scope: &Scope<'_>) -> Result<String, Unsupported> {
    let mut translator = Translator::of_expression(scope);
    let term = translator.expr(&parse(text)?)?;
    translator.coerced(term, &Type::Bool).map(|term| term.sql)
}

/// Translates a value that goes into a column of type `ty`, such as a default.
///
/// # Errors
/// The part that can't be translated, and why.
pub fn value(text: &str, ty: &Type, scope: &Scope<'_>) -> Result<String, Unsupported> {
    let mut translator = Translator::of_expression(scope);
    let term = translator.expr(&parse(text)?)?;
    translator.assigned(term, ty).map(|term| term.sql)
}

/// Translates an expression of whatever type it has, such as a term of an index.
///
/// # Errors
/// The part that can't be translated, and why.
pub fn to_sqlite(text: &str, scope: &Scope<'_>) -> Result<String, Unsupported> {
    let mut translator = Translator::of_expression(scope);
    let term = translator.expr(&parse(text)?)?;
    translator.settled(term).map(|term| term.sql)
}

/// Translates the terms of an index: columns and expressions with their direction. The place of
/// nulls and operator classes are left out, for they only matter to speed.
///
/// # Errors
/// The part that can't be translated, and why.
pub fn index_terms(index: &Index, scope: &Scope<'_>) -> Result<Vec<String>, Unsupported> {
    use sqlparser::ast::OrderBySort;
    let columns = index_columns(&index.terms.join(", "))?;
    let mut translator = Translator::of_expression(scope);
    let term = |term: &sqlparser::ast::IndexColumn| {
        let translated = translator.expr(&term.column.expr)?;
        let down = matches!(term.column.options.sort, Some(OrderBySort::Desc));
        Ok(format!("{}{}", translated.sql, if down { " DESC" } else { "" }))
    };
    columns.iter().map(term).collect()
}

fn index_columns(terms: &str) -> Result<Vec<sqlparser::ast::IndexColumn>, Unsupported> {
    use sqlparser::ast::Statement;
    let sql = format!("create index i on t ({terms})");
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql)
        .map_err(|error| Unsupported::new(&sql, error.to_string()))?;
    match statements.into_iter().next() {
        Some(Statement::CreateIndex(create)) => Ok(create.columns),
        _ => Err(Unsupported::new(sql, "no index")),
    }
}

/// What a term of an index is on.
fn index_expression(term: &str) -> Result<Expr, Unsupported> {
    let first = index_columns(term)?.into_iter().next();
    first.map(|column| column.column.expr).ok_or_else(|| Unsupported::new(term, "no index"))
}

pub(crate) fn parse(text: &str) -> Result<Expr, Unsupported> {
    let fault = |error: sqlparser::parser::ParserError| Unsupported::new(text, error.to_string());
    let mut parser =
        Parser::new(&PostgreSqlDialect {}).with_recursion_limit(128).try_with_sql(text).map_err(fault)?;
    let expression = parser.parse_expr().map_err(fault)?;
    match parser.peek_token().token {
        sqlparser::tokenizer::Token::EOF => Ok(expression),
        rest => Err(Unsupported::new(text, format!("\"{rest}\" is not understood"))),
    }
}

/// A translated part of an expression.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) sql: String,
    pub(crate) ty: TermType,
}

/// What is known of a term's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TermType {
    Known(Type),
    /// A string literal, whose type is what its surroundings want.
    Literal(String),
    /// A bare null.
    Null,
}

impl Term {
    pub(crate) fn new(sql: impl Into<String>, ty: Type) -> Self {
        Term { sql: sql.into(), ty: TermType::Known(ty) }
    }

    pub(crate) fn null() -> Self {
        Term { sql: "NULL".into(), ty: TermType::Null }
    }

    pub(crate) fn literal(text: String) -> Self {
        Term { sql: crate::quote::literal(&text), ty: TermType::Literal(text) }
    }

    pub(crate) fn known(&self) -> Option<&Type> {
        match &self.ty {
            TermType::Known(ty) => Some(ty),
            _ => None,
        }
    }
}
