//! Functions of the catalog: a call is its body with the arguments in the parameters' places.
//!
//! So a query that calls functions is one query to SQLite. What a body reads is read with the
//! rights of the caller, or of the owner where it is `security definer`.

use sqlparser::ast::{Expr, GroupByExpr, ObjectName, Query, SelectItem, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Type};
use truststream_services::database::{Catalog, Column, Function, Parameter, Table, TableName};

use super::names::Relation;
use super::query::Columns;
use super::translate::{Rights, Translator};
use super::{Term, TermType, Unsupported, caseless};
use crate::quote::quote;
use crate::schema::type_in_signature;

/// How deep functions may lead to other functions.
const DEEPEST: usize = 12;

/// What the one column is called of a function that returns no rows of columns.
pub const SCALAR: &str = "pgrst_scalar";

/// The columns of what a function returns; one called [`SCALAR`] if it is no row.
///
/// # Errors
/// A `table(…)` that can't be read.
pub fn result_columns(catalog: &Catalog, function: &Function) -> Result<Vec<(String, Type)>, Unsupported> {
    let returns = &function.returns;
    if let Some(table) = returns.table.as_ref().and_then(|table| catalog.table(table)) {
        return Ok(table.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect());
    }
    if returns.type_name == "record" {
        return columns_of_body(catalog, function);
    }
    if returns.composite {
        return crate::schema::columns_of_result(catalog, &returns.type_name)
            .or_else(|| crate::schema::columns_of_type(catalog, &returns.type_name))
            .ok_or_else(|| Unsupported::new(&returns.type_name, "this kind of result"));
    }
    Ok(vec![(SCALAR.into(), type_in_signature(catalog, &returns.type_name))])
}

/// A table of what a function returns; none where that can't be read.
pub fn result_table(catalog: &Catalog, function: &Function) -> Option<Table> {
    let column = |(name, ty): (String, Type)| Column {
        name,
        type_name: ty.sql_name(),
        ty,
        nullable: true,
        default: None,
        identity: None,
        generated: None,
        comment: None,
    };
    let columns = result_columns(catalog, function).ok()?.into_iter().map(column).collect();
    Some(Table { columns, ..Table::default() })
}

/// The columns that the query of a function gives, where it does not say which it returns.
fn columns_of_body(catalog: &Catalog, function: &Function) -> Result<Vec<(String, Type)>, Unsupported> {
    let arguments = function
        .parameters
        .iter()
        .enumerate()
        .map(|(at, parameter)| Term::new(format!("?{}", at + 1), parameter_type(catalog, parameter)));
    let mut translator = Translator::new(&super::Scope::new(catalog));
    translator.within(function, arguments.collect(), |translator| {
        let (_, columns) = translator.query(&query_of(function)?)?;
        super::known(columns)
    })
}

/// The statements of a function's body.
///
/// # Errors
/// What is no SQL, or in another language.
pub fn statements(function: &Function) -> Result<Vec<Statement>, Unsupported> {
    let fault = |reason: String| Unsupported::new(&function.name, reason);
    let body = function.body.as_deref().ok_or_else(|| fault("a function without a body".into()))?;
    let body = match function.language.as_str() {
        "sql" => body.to_owned(),
        "plpgsql" => crate::plpgsql::plain(body).map_err(|reason| {
            fault(format!(
                "line {}: {} runs on PostgreSQL only; write it in \"language sql\"",
                reason.line, reason.text
            ))
        })?,
        other => return Err(fault(format!("functions in {other} run on PostgreSQL only"))),
    };
    Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(128)
        .try_with_sql(&body)
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| fault(error.to_string()))
}

impl<'a> Translator<'a> {
    /// `$1`
    pub(super) fn parameter(&self, mark: &str) -> Result<Term, Unsupported> {
        let at = mark.trim_start_matches('$').parse::<usize>().ok().and_then(|at| at.checked_sub(1));
        let outside = self.bound.as_ref().filter(|_| self.callers.is_empty());
        if let (Some(bound), Some(at)) = (outside, at) {
            return match bound.parameters.get(at) {
                Some(Some(text)) => {
                    Ok(Term { sql: format!("?{}", at + 1), ty: TermType::Literal(text.clone()) })
                }
                Some(None) => Ok(Term::null()),
                None => Err(Unsupported {
                    code: Some("42P02".into()),
                    ..Unsupported::new(mark, format!("there is no parameter {mark}"))
                }),
            };
        }
        let parameters = self.levels.first().and_then(|level| level.first());
        let known = parameters.filter(|_| !self.callers.is_empty());
        let found = known.zip(at).and_then(|(known, at)| known.terms().into_iter().nth(at));
        found.map(|(_, term)| term).ok_or_else(|| Unsupported::new(mark, "there is no such parameter"))
    }

    /// A call for one value.
    pub(super) fn routine(
        &mut self,
        name: &ObjectName,
        arguments: &[(Option<String>, Term)],
        shown: &str,
    ) -> Result<Term, Unsupported> {
        let (function, terms) = self.chosen(&self.function_named(name), arguments, shown)?;
        self.call_of(function, terms)
    }

    /// The one value of a function with these arguments.
    pub(super) fn call_of(&mut self, function: &Function, terms: Vec<Term>) -> Result<Term, Unsupported> {
        if function.returns.set || function.returns.composite || function.returns.void {
            return Err(Unsupported::new(&function.name, "a function of rows where one value is wanted"));
        }
        let ty = type_in_signature(self.scope.catalog, &function.returns.type_name);
        let strict = function.strict.then(|| nulls(&terms)).filter(|test| !test.is_empty());
        let term = self.within(function, terms, |translator| translator.value_of(function, &ty))?;
        let sql = match strict {
            Some(test) => format!("(CASE WHEN {test} THEN NULL ELSE {term} END)"),
            None => term,
        };
        let term = Term::new(sql, ty);
        match self.domain_of(&function.returns.type_name) {
            Some(domain) => self.of_domain(term, domain),
            None => Ok(term),
        }
    }

    /// The value of a function, within it.
    pub(super) fn value_of(&mut self, function: &Function, ty: &Type) -> Result<String, Unsupported> {
        let query = query_of(function)?;
        if let Some(expr) = lone_expression(&query) {
            let term = self.expr(expr)?;
            return Ok(self.assigned(term, ty)?.sql);
        }
        let (sql, columns) = self.query(&query)?;
        let [(_, from)] = columns.as_slice() else {
            return Err(Unsupported::new(&function.name, "a function whose query has several columns"));
        };
        let cell = self.assigned(Term { sql: "\"c\"".into(), ty: from.clone() }, ty)?.sql;
        Ok(format!("(SELECT {cell} FROM (WITH q(\"c\") AS ({sql}) SELECT * FROM q) LIMIT 1)"))
    }

    /// The query of a function's rows, within it.
    pub(super) fn rows_of(
        &mut self,
        function: &Function,
        columns: &[(String, Type)],
    ) -> Result<String, Unsupported> {
        self.result(function, &query_of(function)?, columns)
    }

    /// A call in the place of a table.
    pub(super) fn rows_of_routine(
        &mut self,
        name: &ObjectName,
        arguments: &[(Option<String>, &Expr)],
        called: &str,
    ) -> Result<(String, Relation), Unsupported> {
        let mut terms = Vec::new();
        for (name, expr) in arguments {
            terms.push((name.clone(), self.expr(expr)?));
        }
        let shown: Vec<_> = arguments.iter().map(|(_, expr)| expr.to_string()).collect();
        let shown = format!("{name}({})", shown.join(", "));
        let (function, terms) = self.chosen(&self.function_named(name), &terms, &shown)?;
        let mut columns = result_columns(self.scope.catalog, function)?;
        let strict = function.strict.then(|| nulls(&terms)).filter(|test| !test.is_empty());
        let mut sql = self.within(function, terms, |translator| translator.rows_of(function, &columns))?;
        if let Some(test) = strict {
            sql = format!("SELECT * FROM ({sql}) WHERE NOT ({test})");
        }
        let scalar = !function.returns.composite;
        if scalar {
            columns[0].0 = called.to_owned();
        }
        let relation = Relation::new(called, columns);
        let sql = if scalar {
            format!("(SELECT {SCALAR} AS {} FROM ({sql}))", quote(called))
        } else {
            format!("({sql})")
        };
        Ok((sql, relation))
    }

    /// A query as the rows that a function returns.
    pub(crate) fn result(
        &mut self,
        function: &Function,
        query: &Query,
        columns: &[(String, Type)],
    ) -> Result<String, Unsupported> {
        let (sql, found) = self.query(query)?;
        let cells = self.cells(&function.name, &found, columns)?;
        let names: Vec<_> = (0..found.len()).map(|at| quote(&format!("c{at}"))).collect();
        let (cells, names) = (cells.join(", "), names.join(", "));
        let rows = format!("WITH q({names}) AS ({sql}) SELECT * FROM q");
        if function.returns.set {
            return Ok(format!("SELECT {cells} FROM ({rows})"));
        }
        // One row in any case: of nulls if there is none.
        Ok(format!("SELECT {cells} FROM (SELECT 1) LEFT JOIN ({rows} LIMIT 1) ON 1"))
    }

    /// The columns found, in the types and under the names of those declared.
    fn cells(
        &self,
        function: &TableName,
        found: &Columns,
        declared: &[(String, Type)],
    ) -> Result<Vec<String>, Unsupported> {
        if let Some(cells) = self.fields_found(found, declared) {
            return Ok(cells);
        }
        if found.len() != declared.len() {
            let reason = "return type mismatch: the query has another number of columns";
            return Err(Unsupported::new(function, reason));
        }
        let cells = found.iter().zip(declared).enumerate().map(|(at, ((_, from), (name, ty)))| {
            let cell = Term { sql: quote(&format!("c{at}")), ty: from.clone() };
            Ok(format!("{} AS {}", self.assigned(cell, ty)?.sql, quote(name)))
        });
        cells.collect()
    }

    /// Translates something in the place of a function's body.
    pub(crate) fn within<T>(
        &mut self,
        function: &Function,
        arguments: Vec<Term>,
        body: impl FnOnce(&mut Self) -> Result<T, Unsupported>,
    ) -> Result<T, Unsupported> {
        let mut parameters = Relation::new(function.name.name.clone(), Vec::new());
        let mut cells = Vec::new();
        for (parameter, term) in function.parameters.iter().zip(arguments) {
            if term.sql.contains("ts_uuid(") {
                return Err(Unsupported::new(&function.name, "a random value as an argument"));
            }
            parameters.columns.push((parameter.name.clone(), parameter_type(self.scope.catalog, parameter)));
            cells.push(term.sql);
        }
        parameters.cells = Some(cells);
        self.enclosed(function, vec![parameters], body)
    }

    /// Translates something in the place of a function's body, which may name these.
    pub(super) fn enclosed<T>(
        &mut self,
        function: &Function,
        names: Vec<Relation>,
        body: impl FnOnce(&mut Self) -> Result<T, Unsupported>,
    ) -> Result<T, Unsupported> {
        if self.callers.len() >= DEEPEST {
            return Err(Unsupported::new(
                &function.name,
                "stack depth limit exceeded: a function that calls itself",
            ));
        }
        if self.scope.role.is_some_and(|role| !function.is_open_to(role)) {
            let message = format!("permission denied for function {}", function.name.name);
            return Err(Unsupported::carried(&Error::permission_denied(message)));
        }
        let levels = std::mem::replace(&mut self.levels, vec![names]);
        let (named, windows) = (std::mem::take(&mut self.named), std::mem::take(&mut self.windows));
        let scope = self.scope;
        let rights = self.rights;
        if function.security_definer {
            self.scope.source = None;
            self.scope.role = None;
            self.rights = Rights::Owner;
        } else if rights == Rights::View {
            // Who asks is not known when the view is made.
            self.scope.source = Some(&unknown_caller);
        }
        let path = self.path.clone();
        if self.callers.is_empty() {
            self.path = Some(function.name.schema.clone());
        }
        self.callers.push(function.name.clone());
        let done = body(self);
        self.callers.pop();
        self.path = path;
        (self.scope, self.rights) = (scope, rights);
        (self.levels, self.named, self.windows) = (levels, named, windows);
        done
    }
}

/// The type of a parameter.
pub fn parameter_type(catalog: &Catalog, parameter: &Parameter) -> Type {
    caseless::named(&parameter.type_name).unwrap_or_else(|| type_in_signature(catalog, &parameter.type_name))
}

fn unknown_caller(table: &TableName) -> Result<String, Unsupported> {
    let reason = "a function that reads tables, within a view: declare the function \"security definer\", \
                  or the view \"with (security_invoker = on)\"";
    Err(Unsupported::new(table, reason))
}

fn nulls(terms: &[Term]) -> String {
    terms.iter().map(|term| format!("{} IS NULL", term.sql)).collect::<Vec<_>>().join(" OR ")
}

/// The one query that a function is.
pub(crate) fn query_of(function: &Function) -> Result<Query, Unsupported> {
    let mut statements = statements(function)?.into_iter();
    match (statements.next(), statements.next()) {
        (Some(Statement::Query(query)), None) => Ok(*query),
        _ => Err(Unsupported::new(
            &function.name,
            "a function that is more than one query, within another query",
        )),
    }
}

/// The expression that a query without a table is.
pub fn lone_expression(query: &Query) -> Option<&Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let bare = query.with.is_none()
        && query.limit_clause.is_none()
        && select.from.is_empty()
        && select.selection.is_none()
        && select.having.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] if bare => Some(expr),
        _ => None,
    }
}
