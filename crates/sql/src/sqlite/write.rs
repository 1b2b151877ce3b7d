//! `insert`, `update` and `delete` as SQLite's, wherever they stand: in migrations, functions and
//! triggers.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, ObjectName, SelectItem, Statement as Parsed,
    TableFactor, TableWithJoins, Update, UpdateTableFromKind,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, PolicyCommand, Table, TableName};

use super::target::Target;
use super::{numbers, trigger};
use crate::expression::{Relation, Scope, Term, Translator, Unsupported, file_name};
use crate::quote::{literal, quote};
use crate::schema::{ident, is_default, parts};

/// The condition under which a command may touch existing rows of a table.
pub type Guard<'a> = dyn Fn(&TableName, PolicyCommand) -> Result<Option<String>> + 'a;

/// What holds for a statement on rows.
#[derive(Clone, Copy, Default)]
pub(crate) struct Rules<'a> {
    /// Which rows it may touch.
    pub(crate) guard: Option<&'a Guard<'a>>,
    /// The condition under which it is done at all.
    pub(crate) only_if: Option<&'a str>,
}

/// The one statement of a text.
///
/// # Errors
/// What is no statement.
pub(crate) fn statement_of(sql: &str) -> Result<Parsed, Unsupported> {
    let parsed = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(128)
        .try_with_sql(sql)
        .and_then(|mut parser| parser.parse_statement());
    parsed.map_err(|error| Unsupported::new(sql, error.to_string()))
}

/// A statement on rows.
#[derive(Debug)]
pub(crate) struct Write {
    /// The table whose rows it writes.
    pub(crate) table: TableName,
    /// The name that it calls them by: the table's, or that of a partition.
    pub(crate) named: TableName,
    /// What it does to them.
    pub(crate) command: PolicyCommand,
    /// The statement without `returning`.
    pub(crate) sql: String,
    /// What it returns.
    pub(crate) returning: Vec<(String, Term)>,
    /// Whether it may update what is there instead of inserting.
    pub(crate) upserts: bool,
}

/// Translates a statement on rows.
///
/// # Errors
/// 42P01 and 42703 for unknown tables and columns, 0A000 for what can't be translated.
pub(crate) fn write(translator: &mut Translator<'_>, statement: &Parsed, rules: &Rules<'_>) -> Result<Write> {
    match statement {
        Parsed::Insert(one) => super::insert::insert(translator, one, rules),
        Parsed::Update(one) => update(translator, one, rules),
        Parsed::Delete(one) => delete(translator, one, rules),
        other => Err(Unsupported::new(other, "this statement runs on PostgreSQL only").into()),
    }
}

/// The column a name in an assignment or a list of columns means.
pub(super) fn last(name: &ObjectName) -> String {
    parts(name).pop().unwrap_or_default()
}

/// Runs a translation within one more level of names.
pub(super) fn within<'a, T>(
    translator: &mut Translator<'a>,
    relations: Vec<Relation>,
    work: impl FnOnce(&mut Translator<'a>) -> Result<T>,
) -> Result<T> {
    translator.push_level(relations);
    let done = work(translator);
    translator.pop_level();
    done
}

pub(super) fn returning(
    translator: &mut Translator<'_>,
    written: Relation,
    items: Option<&[SelectItem]>,
) -> Result<Vec<(String, Term)>> {
    let Some(items) = items else { return Ok(Vec::new()) };
    within(translator, vec![written], |translator| Ok(translator.items(items)?))
}

pub(super) fn value(
    translator: &mut Translator<'_>,
    target: (&TableName, &Table),
    column: &Column,
    expr: &Expr,
) -> Result<String, Unsupported> {
    if is_default(expr) {
        let default = numbers::default(translator.catalog(), target, column)?;
        return Ok(default.unwrap_or_else(|| "NULL".into()));
    }
    assigned(translator, expr, &column.ty)
}

/// An expression as a value of a column.
pub(super) fn assigned(
    translator: &mut Translator<'_>,
    expr: &Expr,
    ty: &Type,
) -> Result<String, Unsupported> {
    if let (Expr::Array(array), Type::Array(element)) = (expr, ty)
        && let Some(term) = translator.array_as(&array.elem, element)?
    {
        return Ok(term.sql);
    }
    let plain = matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    let term = translator.expr(expr)?;
    fitted(translator, term, ty, plain)
}

/// An expression over a table's columns as a value of a column.
///
/// # Errors
/// What can't be translated.
pub fn assigned_text(
    catalog: &Catalog,
    table: &TableName,
    text: &str,
    ty: &Type,
) -> Result<String, Unsupported> {
    let mut translator = Translator::of_expression(&Scope::of_table(catalog, table));
    assigned(&mut translator, &crate::expression::parse(text)?, ty)
}

/// A term as a value that fits its column. A plain one of the column's own type does.
pub(super) fn fitted(
    translator: &Translator<'_>,
    term: Term,
    ty: &Type,
    plain: bool,
) -> Result<String, Unsupported> {
    let whole = |ty: &Type| matches!(ty, Type::Int2 | Type::Int4 | Type::Int8);
    let text = |ty: &Type| matches!(ty, Type::Text | Type::Varchar(_) | Type::Char(_));
    let Some(from) = term.known().filter(|from| !plain || *from != ty).cloned() else {
        return Ok(translator.assigned(term, ty)?.sql);
    };
    Ok(match ty {
        Type::Int2 | Type::Int4 if whole(&from) => {
            format!("ts_fit_integer({}, {})", term.sql, literal(&ty.sql_name()))
        }
        Type::Varchar(Some(length)) | Type::Char(length) => {
            let called = if matches!(ty, Type::Char(_)) { "character" } else { "character varying" };
            let given = if text(&from) { term } else { translator.assigned(term, &Type::Text)? };
            let sql = format!("ts_fit_text({}, {length}, {})", given.sql, literal(called));
            translator.assigned(Term::new(sql, ty.clone()), ty)?.sql
        }
        _ => translator.assigned(term, ty)?.sql,
    })
}

pub(super) fn assignments(
    translator: &mut Translator<'_>,
    target: &Target<'_>,
    assignments: &[Assignment],
) -> Result<String> {
    let one = |assignment: &Assignment| {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(Error::unsupported("an assignment of a row"));
        };
        let column = target.column(&last(name))?;
        Ok((column.name.clone(), value(translator, target.pair(), column, &assignment.value)?))
    };
    let cells = assignments.iter().map(one).collect::<Result<Vec<_>>>()?;
    let catalog = translator.catalog();
    if let Some(before) = trigger::before(catalog, target.pair(), PolicyCommand::Update, &cells, None)? {
        let columns: Vec<_> = before.columns.iter().map(|column| quote(column)).collect();
        let written: Vec<&str> = before.columns.iter().map(String::as_str).collect();
        let admits = match target.decides(&written) {
            true => target.admits(translator, PolicyCommand::Update, |column| Ok(whole(column)))?,
            false => None,
        };
        let admits = admits.map(|admits| format!(" AND {admits}")).unwrap_or_default();
        return Ok(format!("({}) = ({}{admits})", columns.join(", "), before.sql));
    }
    let deciding = target.deciding();
    let decides = |name: &str| deciding.iter().any(|column| column.name == name);
    // One of them fails for all.
    let first = cells.iter().position(|(name, _)| decides(name));
    let change = |(at, (name, cell)): (usize, &(String, String))| {
        let quoted = quote(name);
        if first != Some(at) {
            return Ok(format!("{quoted} = {cell}"));
        }
        let file = quote(&file_name(target.name));
        let new = |column: &Column| match cells.iter().find(|(given, _)| *given == column.name) {
            Some((_, cell)) => cell.clone(),
            None => format!("{file}.{}", quote(&column.name)),
        };
        let row = deciding.iter().map(|column| format!("{} AS {}", new(column), quote(&column.name)));
        let row = row.collect::<Vec<_>>().join(", ");
        let told = |column: &Column| match decides(&column.name) {
            true => Some(quote(&column.name)),
            false => column.generated.is_none().then(|| new(column)),
        };
        let admits = target.admits(translator, PolicyCommand::Update, |column| Ok(told(column)))?;
        let admits = admits.unwrap_or_else(|| "1".into());
        Ok(format!("{quoted} = (SELECT {quoted} FROM (SELECT {row} LIMIT -1) WHERE {admits})"))
    };
    Ok(cells.iter().enumerate().map(change).collect::<Result<Vec<_>>>()?.join(", "))
}

/// A column as it is named among all that a row is to hold.
pub(super) fn whole(column: &Column) -> Option<String> {
    column.generated.is_none().then(|| quote(&column.name))
}

/// ` WHERE` with the statement's own condition and the caller's policies.
fn conditions(
    translator: &mut Translator<'_>,
    target: &Target<'_>,
    selection: Option<&Expr>,
    commands: &[PolicyCommand],
    rules: &Rules<'_>,
) -> Result<String> {
    let mut conditions: Vec<String> = rules.only_if.map(str::to_owned).into_iter().collect();
    if let Some(guard) = rules.guard {
        for command in commands {
            conditions.extend(guard(target.named(), *command)?);
        }
    }
    conditions.extend(target.rows(translator.catalog())?);
    if let Some(condition) = selection {
        conditions.push(translator.condition(condition)?);
    }
    Ok(if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) })
}

/// What rows must be open to: what is not looked at need not be readable.
fn commands(
    command: PolicyCommand,
    selection: &Option<Expr>,
    returning: &Option<Vec<SelectItem>>,
) -> Vec<PolicyCommand> {
    let reads = selection.is_some() || returning.is_some();
    std::iter::once(command).chain(reads.then_some(PolicyCommand::Select)).collect()
}

fn others(translator: &mut Translator<'_>, from: &[TableWithJoins]) -> Result<String> {
    let sources = from.iter().map(|one| translator.from(one)).collect::<Result<Vec<_>, _>>()?;
    Ok(sources.join(", "))
}

fn update(translator: &mut Translator<'_>, update: &Update, rules: &Rules<'_>) -> Result<Write> {
    let TableFactor::Table { name, alias, .. } = &update.table.relation else {
        return Err(Error::unsupported("an update of anything but a table"));
    };
    let target = Target::find(translator.catalog(), &translator.table_named(name))?;
    trigger::refuse(translator.catalog(), target.pair(), "update")?;
    let relation = target.relation(alias.as_ref().map(|alias| ident(&alias.name)));
    let sql = within(translator, vec![relation.clone()], |translator| {
        let from = match &update.from {
            None => String::new(),
            Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => {
                format!(" FROM {}", others(translator, from)?)
            }
        };
        let changes = assignments(translator, &target, &update.assignments)?;
        let commands = commands(PolicyCommand::Update, &update.selection, &update.returning);
        let rows = conditions(translator, &target, update.selection.as_ref(), &commands, rules)?;
        Ok(format!("UPDATE {} SET {changes}{from}{rows}", quote(&file_name(target.name))))
    })?;
    let returning = returning(translator, relation, update.returning.as_deref())?;
    Ok(target.write(PolicyCommand::Update, sql, returning))
}

fn delete(translator: &mut Translator<'_>, delete: &Delete, rules: &Rules<'_>) -> Result<Write> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [only] = from.as_slice() else { return Err(Error::unsupported("a delete from several tables")) };
    let TableFactor::Table { name, alias, .. } = &only.relation else {
        return Err(Error::unsupported("a delete of anything but rows of a table"));
    };
    let target = Target::find(translator.catalog(), &translator.table_named(name))?;
    trigger::refuse(translator.catalog(), target.pair(), "delete")?;
    let file = quote(&file_name(target.name));
    let relation = target.relation(alias.as_ref().map(|alias| ident(&alias.name)));
    let sql = within(translator, vec![relation.clone()], |translator| {
        let commands = commands(PolicyCommand::Delete, &delete.selection, &delete.returning);
        let Some(using) = &delete.using else {
            let rows = conditions(translator, &target, delete.selection.as_ref(), &commands, rules)?;
            return Ok(format!("DELETE FROM {file}{rows}"));
        };
        // SQLite deletes by a condition on the rows alone.
        let from = others(translator, using)?;
        let met = conditions(translator, &target, delete.selection.as_ref(), &commands, rules)?;
        Ok(format!("DELETE FROM {file} WHERE EXISTS (SELECT 1 FROM {from}{met})"))
    })?;
    let returning = returning(translator, relation, delete.returning.as_deref())?;
    Ok(target.write(PolicyCommand::Delete, sql, returning))
}
