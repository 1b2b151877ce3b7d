//! Full-text search in expressions: `to_tsvector`, the makers of queries, `@@`.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};
use truststream_kernel::Type;
use truststream_services::database::TableName;

use super::cast::is_text;
use super::names::Relation;
use super::translate::Translator;
use super::{Scope, Term, TermType, Unsupported, index_expression};
use crate::quote::literal;
use crate::schema::parts;

/// The makers of queries, which take an optional configuration and a text.
const QUERIES: &[&str] = &["to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"];

pub(super) fn vector() -> Type {
    Type::Other("tsvector".into())
}

pub(super) fn query() -> Type {
    Type::Other("tsquery".into())
}

/// What full-text search looks through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The function that makes it and its configuration; none where it is kept as a `tsvector`.
    made: Option<(&'static str, String)>,
    /// What it is made of, as SQLite's SQL.
    subject: String,
}

impl Document {
    /// What a search of a term of this type looks through; `None` if it can't be searched.
    pub fn of(ty: &Type, configuration: Option<&str>, subject: String) -> Option<Self> {
        let maker = match ty {
            _ if *ty == vector() => return Some(Document { made: None, subject }),
            Type::Json | Type::Jsonb => "ts_json_to_tsvector",
            _ if is_text(ty) => "ts_to_tsvector",
            _ => return None,
        };
        let name = configuration.unwrap_or("english").to_lowercase();
        let name = name.strip_prefix("pg_catalog.").unwrap_or(&name).to_owned();
        Some(Document { made: Some((maker, name)), subject })
    }

    /// It as SQLite's SQL.
    pub fn sql(&self) -> String {
        match &self.made {
            None => self.subject.clone(),
            Some((maker, configuration)) => format!("{maker}({}, {})", literal(configuration), self.subject),
        }
    }
}

/// The document that an index of words is on by its only term, with the columns of the scope; `None` if
/// the index is on something else.
///
/// # Errors
/// The part that can't be translated, and why.
pub fn indexed_document(term: &str, scope: &Scope<'_>) -> Result<Option<Document>, Unsupported> {
    let expr = index_expression(term)?;
    Translator::of_expression(scope).looked_through(&expr)
}

/// Conditions on the key of a table's rows that all rows meet whose document matches a query.
pub type Candidates<'a> = dyn Fn(&TableName, &str, &Document, &str) -> Option<String> + 'a;

impl Translator<'_> {
    /// The document that an expression is; `None` if it is something else, or made by a configuration
    /// that is not written there.
    fn looked_through(&mut self, expr: &Expr) -> Result<Option<Document>, Unsupported> {
        let (configuration, subject) = match bare(expr) {
            Expr::Function(function)
                if parts(&function.name).last().is_some_and(|name| name == "to_tsvector") =>
            {
                match arguments(function).as_slice() {
                    [subject] => (None, *subject),
                    [configuration, subject] => match self.expr(configuration)?.ty {
                        TermType::Literal(name) => (Some(name), *subject),
                        _ => return Ok(None),
                    },
                    _ => return Ok(None),
                }
            }
            other => {
                let term = self.expr(other)?;
                let known = term.known() == Some(&vector());
                return Ok(known.then_some(Document { made: None, subject: term.sql }));
            }
        };
        let term = self.expr(subject)?;
        let term = match term.known() {
            Some(Type::Json | Type::Jsonb) => term,
            _ => self.coerced(term, &Type::Text)?,
        };
        let ty = term.known().cloned().unwrap_or(Type::Text);
        Ok(Document::of(&ty, configuration.as_deref(), term.sql))
    }

    /// Conditions that an index of words gives besides a `where`: for each search that must hold.
    pub(super) fn candidates(&mut self, condition: &Expr) -> Result<Vec<String>, Unsupported> {
        use sqlparser::ast::BinaryOperator::{And, AtAt};
        let Some(candidates) = self.scope.candidates else { return Ok(Vec::new()) };
        let Expr::BinaryOp { left, op, right } = bare(condition) else { return Ok(Vec::new()) };
        match op {
            And => {
                let mut all = self.candidates(left)?;
                all.extend(self.candidates(right)?);
                Ok(all)
            }
            AtAt => {
                let asked = self.expr(right)?;
                if asked.known() != Some(&query()) {
                    return Ok(Vec::new());
                }
                let Some(document) = self.looked_through(left)? else { return Ok(Vec::new()) };
                let level = self.levels.last().map(Vec::as_slice).unwrap_or_default();
                let of = |relation: &Relation| {
                    let (table, alias) = (relation.table.as_ref()?, relation.alias.as_ref()?);
                    candidates(table, alias, &document, &asked.sql)
                };
                Ok(level.iter().filter_map(of).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// A function of full-text search; `None` if it is none.
    pub(super) fn of_search(&self, name: &str, arguments: &[Term]) -> Result<Option<Term>, Unsupported> {
        let maker = QUERIES.contains(&name);
        if !maker && name != "to_tsvector" {
            return Ok(None);
        }
        let (configuration, subject) = match arguments {
            [subject] => ("NULL".to_owned(), subject),
            [configuration, subject] => (self.coerced(configuration.clone(), &Type::Text)?.sql, subject),
            _ => return Ok(None),
        };
        let json = matches!(subject.known(), Some(Type::Json | Type::Jsonb));
        let subject = if json { subject.clone() } else { self.coerced(subject.clone(), &Type::Text)? };
        Ok(Some(match (maker, json) {
            (true, _) => Term::new(format!("ts_{name}({configuration}, {})", subject.sql), query()),
            (false, true) => {
                Term::new(format!("ts_json_to_tsvector({configuration}, {})", subject.sql), vector())
            }
            (false, false) => {
                Term::new(format!("ts_to_tsvector({configuration}, {})", subject.sql), vector())
            }
        }))
    }

    /// `document @@ query`, either way round.
    pub(super) fn search(&mut self, left: &Expr, right: &Expr) -> Result<Term, Unsupported> {
        let (mut document, mut asked) = (self.expr(left)?, self.expr(right)?);
        if document.known() == Some(&query()) {
            std::mem::swap(&mut document, &mut asked);
        }
        let is_plain = |term: &Term| match &term.ty {
            TermType::Known(ty) => is_text(ty),
            TermType::Literal(_) | TermType::Null => true,
        };
        if is_plain(&document) {
            document = Term::new(format!("ts_to_tsvector(NULL, {})", document.sql), vector());
        }
        if is_plain(&asked) {
            asked = Term::new(format!("ts_plainto_tsquery(NULL, {})", asked.sql), query());
        }
        if document.known() != Some(&vector()) || asked.known() != Some(&query()) {
            return Err(Unsupported::new(format!("{left} @@ {right}"), "this operator"));
        }
        Ok(Term::new(format!("ts_text_match({}, {})", document.sql, asked.sql), Type::Bool))
    }
}

/// An expression without the parentheses around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let mut expressions = Vec::new();
    for argument in &list.args {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else { return Vec::new() };
        expressions.push(expr);
    }
    expressions
}
