//! `insert`, `update` and `delete` as SQLite's, wherever they stand: in migrations, functions and
//! triggers.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, ObjectName, OnConflict,
    OnConflictAction, OnInsert, Query, SelectItem, SetExpr, Statement as Parsed, TableFactor, TableObject,
    TableWithJoins, Update, UpdateTableFromKind,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, PolicyCommand, Table, TableName};

use crate::expression::{Columns, Relation, Scope, Term, TermType, Translator, Unsupported, file_name};
use crate::quote::quote;
use crate::schema::{ident, no_such_column, no_such_table, parts, table_name};

/// The condition under which a command may touch existing rows of a table.
pub type Guard<'a> = dyn Fn(&TableName, PolicyCommand) -> Result<Option<String>> + 'a;

/// A statement on rows.
#[derive(Debug)]
pub(crate) struct Write {
    /// The table whose rows it writes.
    pub(crate) table: TableName,
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
pub(crate) fn write(
    translator: &mut Translator<'_>,
    statement: &Parsed,
    guard: Option<&Guard<'_>>,
) -> Result<Write> {
    match statement {
        Parsed::Insert(one) => insert(translator, one, guard),
        Parsed::Update(one) => update(translator, one, guard),
        Parsed::Delete(one) => delete(translator, one, guard),
        other => Err(Unsupported::new(other, "this statement runs on PostgreSQL only").into()),
    }
}

pub(super) fn known<'a>(catalog: &'a Catalog, name: &TableName) -> Result<&'a Table> {
    let table = catalog.table(name).ok_or_else(|| no_such_table(name))?;
    match table.kind {
        truststream_services::database::TableKind::Table => Ok(table),
        _ => Err(Error::unsupported(format!("writing through view {name} runs on PostgreSQL only"))),
    }
}

fn column<'a>(table: &'a Table, name: &TableName, column: &str) -> Result<&'a Column> {
    table.column(column).ok_or_else(|| no_such_column(column, name))
}

/// The column a name in an assignment or a list of columns means.
fn last(name: &ObjectName) -> String {
    parts(name).pop().unwrap_or_default()
}

/// The written table as what columns come from: under its own name, which is all that SQLite takes
/// within triggers.
fn target(name: &TableName, table: &Table, alias: Option<String>) -> Relation {
    let relation = Relation::of_table(name, table).aliased(file_name(name));
    match alias {
        Some(alias) => Relation { name: alias, schema: None, ..relation },
        None => relation,
    }
}

/// Runs a translation within one more level of names.
fn within<'a, T>(
    translator: &mut Translator<'a>,
    relations: Vec<Relation>,
    work: impl FnOnce(&mut Translator<'a>) -> Result<T>,
) -> Result<T> {
    translator.push_level(relations);
    let done = work(translator);
    translator.pop_level();
    done
}

fn insert(translator: &mut Translator<'_>, insert: &Insert, guard: Option<&Guard<'_>>) -> Result<Write> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(Error::unsupported("an insert into anything but a table"));
    };
    let name = table_name(name);
    let catalog = translator.catalog();
    let table = known(catalog, &name)?;
    if let Some(guard) = guard {
        guard(&name, PolicyCommand::Insert)?;
    }
    let names: Vec<String> = insert.columns.iter().map(last).collect();
    let columns = match names.is_empty() {
        true => table.columns.iter().filter(|column| column.generated.is_none()).collect(),
        false => names.iter().map(|given| column(table, &name, given)).collect::<Result<Vec<_>>>()?,
    };
    let file = quote(&file_name(&name));
    let (columns, rows) = match &insert.source {
        None => (Vec::new(), "DEFAULT VALUES".to_owned()),
        Some(source) => rows(translator, &columns, source)?,
    };
    let mut sql = match columns.is_empty() {
        true => format!("INSERT INTO {file} {rows}"),
        false => {
            let columns: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
            format!("INSERT INTO {file} ({}) {rows}", columns.join(", "))
        }
    };
    let alias = insert.table_alias.as_ref().map(|alias| ident(&alias.alias));
    let target = target(&name, table, alias);
    let mut upserts = false;
    match &insert.on {
        None => {}
        Some(OnInsert::OnConflict(rule)) => {
            upserts = matches!(rule.action, OnConflictAction::DoUpdate(_));
            sql.push_str(&on_conflict(translator, &name, table, &target, rule)?);
        }
        Some(_) => return Err(Error::unsupported("this rule for conflicts")),
    }
    let returning = returning(translator, target, insert.returning.as_deref())?;
    Ok(Write { table: name, command: PolicyCommand::Insert, sql, returning, upserts })
}

fn returning(
    translator: &mut Translator<'_>,
    target: Relation,
    items: Option<&[SelectItem]>,
) -> Result<Vec<(String, Term)>> {
    let Some(items) = items else { return Ok(Vec::new()) };
    within(translator, vec![target], |translator| Ok(translator.items(items)?))
}

/// The rows of an insert, and the columns they are for.
fn rows<'c>(
    translator: &mut Translator<'_>,
    columns: &[&'c Column],
    source: &Query,
) -> Result<(Vec<&'c Column>, String)> {
    if let (SetExpr::Values(values), None) = (source.body.as_ref(), &source.with) {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let columns = columns.get(..width).ok_or_else(too_many)?.to_vec();
        let mut rows = Vec::new();
        for row in &values.rows {
            let cells =
                columns.iter().zip(&row.content).map(|(column, expr)| value(translator, column, expr));
            rows.push(format!("({})", cells.collect::<Result<Vec<_>, _>>()?.join(", ")));
        }
        return Ok((columns, format!("VALUES {}", rows.join(", "))));
    }
    let (query, found) = translator.query(source)?;
    let columns = columns.get(..found.len()).ok_or_else(too_many)?.to_vec();
    let names: Vec<_> = (1..=found.len()).map(|at| quote(&format!("c{at}"))).collect();
    let cells = converted(translator, found, &names, &columns)?;
    // Without a condition SQLite would take "on conflict" for a join's.
    let sql =
        format!("SELECT {cells} FROM (WITH q({}) AS ({query}) SELECT * FROM q) WHERE true", names.join(", "));
    Ok((columns, sql))
}

/// What a query found, as values of columns.
fn converted(
    translator: &Translator<'_>,
    found: Columns,
    names: &[String],
    columns: &[&Column],
) -> Result<String> {
    let cells = found.into_iter().zip(names).zip(columns).map(|(((_, ty), name), column)| {
        let term = Term { sql: name.clone(), ty };
        let text = matches!(term.ty, TermType::Known(Type::Text));
        let cell =
            if text { translator.cast_to(term, &column.ty) } else { translator.assigned(term, &column.ty) };
        cell.map(|term| term.sql)
    });
    Ok(cells.collect::<Result<Vec<_>, _>>()?.join(", "))
}

fn too_many() -> Error {
    crate::schema::fault("42601", "INSERT has more expressions than target columns".into())
}

fn value(translator: &mut Translator<'_>, column: &Column, expr: &Expr) -> Result<String, Unsupported> {
    if is_default(expr) {
        let scope = Scope::new(translator.catalog());
        return match (&column.default, column.identity) {
            (Some(default), None) => crate::expression::value(default, &column.ty, &scope),
            _ => Ok("NULL".into()),
        };
    }
    assigned(translator, expr, &column.ty)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
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
    let term = translator.expr(expr)?;
    Ok(translator.assigned(term, ty)?.sql)
}

fn on_conflict(
    translator: &mut Translator<'_>,
    name: &TableName,
    table: &Table,
    into: &Relation,
    rule: &OnConflict,
) -> Result<String> {
    let target = match &rule.conflict_target {
        None => String::new(),
        Some(ConflictTarget::Columns(columns)) => {
            let columns = columns.iter().map(|given| Ok(quote(&column(table, name, &ident(given))?.name)));
            format!(" ({})", columns.collect::<Result<Vec<_>>>()?.join(", "))
        }
        Some(ConflictTarget::OnConstraint(constraint)) => {
            let constraint = last(constraint);
            let key = table.unique_keys.iter().find(|key| key.name == constraint);
            let columns = key.map_or(&table.primary_key, |key| &key.columns);
            format!(" ({})", columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", "))
        }
    };
    let OnConflictAction::DoUpdate(update) = &rule.action else {
        return Ok(format!(" ON CONFLICT{target} DO NOTHING"));
    };
    let excluded = Relation::of_table(&TableName::public("excluded"), table).aliased("excluded");
    // A level of its own: names that are not qualified mean the table.
    within(translator, vec![excluded], |translator| {
        within(translator, vec![into.clone()], |translator| {
            let changes = assignments(translator, name, table, &update.assignments)?;
            let mut sql = format!(" ON CONFLICT{target} DO UPDATE SET {changes}");
            if let Some(condition) = &update.selection {
                sql.push_str(&format!(" WHERE {}", translator.condition(condition)?));
            }
            Ok(sql)
        })
    })
}

fn assignments(
    translator: &mut Translator<'_>,
    name: &TableName,
    table: &Table,
    assignments: &[Assignment],
) -> Result<String> {
    let one = |assignment: &Assignment| {
        let AssignmentTarget::ColumnName(target) = &assignment.target else {
            return Err(Error::unsupported("an assignment of a row"));
        };
        let column = column(table, name, &last(target))?;
        Ok(format!("{} = {}", quote(&column.name), value(translator, column, &assignment.value)?))
    };
    Ok(assignments.iter().map(one).collect::<Result<Vec<_>>>()?.join(", "))
}

/// ` WHERE` with the statement's own condition and the caller's policies.
fn conditions(
    translator: &mut Translator<'_>,
    name: &TableName,
    selection: Option<&Expr>,
    commands: &[PolicyCommand],
    guard: Option<&Guard<'_>>,
) -> Result<String> {
    let mut conditions = Vec::new();
    if let Some(guard) = guard {
        for command in commands {
            conditions.extend(guard(name, *command)?);
        }
    }
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

fn update(translator: &mut Translator<'_>, update: &Update, guard: Option<&Guard<'_>>) -> Result<Write> {
    let TableFactor::Table { name, alias, .. } = &update.table.relation else {
        return Err(Error::unsupported("an update of anything but a table"));
    };
    let name = table_name(name);
    let table = known(translator.catalog(), &name)?;
    let relation = target(&name, table, alias.as_ref().map(|alias| ident(&alias.name)));
    let sql = within(translator, vec![relation.clone()], |translator| {
        let from = match &update.from {
            None => String::new(),
            Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) => {
                format!(" FROM {}", others(translator, from)?)
            }
        };
        let changes = assignments(translator, &name, table, &update.assignments)?;
        let commands = commands(PolicyCommand::Update, &update.selection, &update.returning);
        let rows = conditions(translator, &name, update.selection.as_ref(), &commands, guard)?;
        Ok(format!("UPDATE {} SET {changes}{from}{rows}", quote(&file_name(&name))))
    })?;
    let returning = returning(translator, relation, update.returning.as_deref())?;
    Ok(Write { table: name, command: PolicyCommand::Update, sql, returning, upserts: false })
}

fn delete(translator: &mut Translator<'_>, delete: &Delete, guard: Option<&Guard<'_>>) -> Result<Write> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [only] = from.as_slice() else { return Err(Error::unsupported("a delete from several tables")) };
    let TableFactor::Table { name, alias, .. } = &only.relation else {
        return Err(Error::unsupported("a delete of anything but rows of a table"));
    };
    let name = table_name(name);
    let table = known(translator.catalog(), &name)?;
    let file = quote(&file_name(&name));
    let relation = target(&name, table, alias.as_ref().map(|alias| ident(&alias.name)));
    let sql = within(translator, vec![relation.clone()], |translator| {
        let commands = commands(PolicyCommand::Delete, &delete.selection, &delete.returning);
        let Some(using) = &delete.using else {
            let rows = conditions(translator, &name, delete.selection.as_ref(), &commands, guard)?;
            return Ok(format!("DELETE FROM {file}{rows}"));
        };
        // SQLite deletes by a condition on the rows alone.
        let from = others(translator, using)?;
        let met = conditions(translator, &name, delete.selection.as_ref(), &commands, guard)?;
        Ok(format!("DELETE FROM {file} WHERE EXISTS (SELECT 1 FROM {from}{met})"))
    })?;
    let returning = returning(translator, relation, delete.returning.as_deref())?;
    Ok(Write { table: name, command: PolicyCommand::Delete, sql, returning, upserts: false })
}
