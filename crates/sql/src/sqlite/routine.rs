//! A function that is called for itself: its statements, one after another.

use sqlparser::ast::{Expr, ObjectName, Set, Statement as Parsed};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Function, PolicyCommand, TableName};

use super::materialized::{refresh, refreshes};
use super::program::{program, suits};
use super::write::{Guard, Rules, write};
use crate::expression::{
    Scope, Term, Translator, Unsupported, check_row_function, parameter_type, result_columns, statements,
};
use crate::quote::{literal, quote};
use crate::schema::parts;

/// One statement of a function's body.
#[derive(Clone, Debug)]
pub struct Step {
    /// The statement. One that writes returns the row id first.
    pub sql: String,
    /// What it writes.
    pub written: Option<Written>,
}

/// What a statement writes.
#[derive(Clone, Debug)]
pub struct Written {
    /// Rows of this table.
    pub table: TableName,
    /// The name that they are called by: the table's, or that of a partition.
    pub named: TableName,
    /// By this command.
    pub command: PolicyCommand,
    /// Whether it may update rows instead of inserting them.
    pub upserts: bool,
    /// Whether it returns what it wrote.
    pub returns: bool,
}

/// The steps of a function. Its arguments are the numbered parameters of SQLite, in the forms that
/// columns store. The last step gives the columns of [`result_columns`].
///
/// # Errors
/// What can't be translated; those of `guard`, which says which rows a writing statement may touch.
pub fn steps(function: &Function, scope: &Scope<'_>, guard: Option<&Guard<'_>>) -> Result<Vec<Step>> {
    let columns = result_columns(scope.catalog, function)?;
    let statements = statements(function)?;
    let mut translator = Translator::new(scope);
    let arguments =
        function.parameters.iter().enumerate().map(|(at, parameter)| {
            Term::new(format!("?{}", at + 1), parameter_type(scope.catalog, parameter))
        });
    let arguments: Vec<Term> = arguments.collect();
    let last = statements.len().saturating_sub(1);
    let mut steps = Vec::new();
    let mut failed = None;
    let guard = guard.filter(|_| !function.security_definer);
    translator.within(function, arguments, |translator| {
        for (at, statement) in statements.iter().enumerate() {
            let returns = at == last && !function.returns.void;
            match step(translator, function, statement, returns.then_some(columns.as_slice()), guard) {
                Ok(step) => steps.push(step),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        Ok(())
    })?;
    failed.map_or(Ok(steps), Err)
}

fn step(
    translator: &mut Translator<'_>,
    function: &Function,
    statement: &Parsed,
    columns: Option<&[(String, Type)]>,
    guard: Option<&Guard<'_>>,
) -> Result<Step> {
    if let Parsed::Query(query) = statement {
        let sql = match columns {
            Some(columns) => translator.result(function, query, columns)?,
            None => translator.query(query)?.0,
        };
        return Ok(Step { sql, written: None });
    }
    if let Parsed::Set(Set::SingleAssignment { variable, values, .. }) = statement {
        return Ok(Step { sql: setting(translator, variable, values)?, written: None });
    }
    let done = write(translator, statement, &Rules { guard, ..Rules::default() })?;
    let mut cells = vec!["rowid".to_owned()];
    if let Some(columns) = columns {
        if done.returning.len() != columns.len() {
            let message =
                format!("return type mismatch in function declared to return {}", function.returns.type_name);
            return Err(Error::new(ErrorKind::InvalidInput, "42P13", message));
        }
        for ((_, term), (name, ty)) in done.returning.into_iter().zip(columns) {
            cells.push(format!("{} AS {}", translator.assigned(term, ty)?.sql, quote(name)));
        }
    }
    Ok(Step {
        sql: format!("{} RETURNING {}", done.sql, cells.join(", ")),
        written: Some(Written {
            table: done.table,
            named: done.named,
            command: done.command,
            upserts: done.upserts,
            returns: columns.is_some(),
        }),
    })
}

/// `set local "response.status" = '404'`
pub(super) fn setting(translator: &mut Translator<'_>, name: &ObjectName, values: &[Expr]) -> Result<String> {
    let name = parts(name).join(".");
    let [value] = values else { return Err(Error::unsupported(format!("setting {name} to a list"))) };
    if !name.contains('.') {
        return Err(Error::unsupported(format!("setting {name}, which only PostgreSQL has")));
    }
    let value = translator.expr(value)?;
    Ok(format!("SELECT ts_set_setting({}, {})", literal(&name), value.sql))
}

/// Whether a function can be called on SQLite, by those that no policy concerns.
///
/// # Errors
/// What can't be translated.
pub fn check(function: &Function, scope: &Scope<'_>) -> Result<(), Unsupported> {
    if function.returns.type_name == "trigger" {
        // What it does is looked at with each trigger.
        return Ok(());
    }
    if let Some(views) = refreshes(function) {
        let known = views.iter().try_for_each(|view| refresh(scope.catalog, view).map(drop));
        return known.map_err(|error| Unsupported::carried(&error));
    }
    if crate::computed::table_of(scope.catalog, function).is_some() {
        return check_row_function(function, scope);
    }
    let called = match steps(function, scope, None) {
        Err(_) if suits(function) => program(function, scope, None).map(drop),
        simple => simple.map(drop),
    };
    called.map_err(|error| match error.kind() {
        ErrorKind::Unsupported => Unsupported::new(&function.name, error.message()),
        _ => Unsupported {
            code: Some(error.code().to_owned()),
            ..Unsupported::new(&function.name, format!("{}: {}", error.code(), error.message()))
        },
    })
}
