//! `insert`, `update`, `delete` and `truncate` of migrations and seeds.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ConflictTarget, Delete, Expr, FromTable, Insert, ObjectName, OnConflict,
    OnConflictAction, OnInsert, Query, SetExpr, Statement as Parsed, TableFactor, TableObject, Truncate,
    Update,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Column, Table, TableName};

use crate::expression::{Relation, Scope, Term, TermType, Translator, Unsupported, file_name};
use crate::quote::quote;
use crate::schema::{Statement, ident, no_such_column, no_such_table, parts, table_name};

/// What the changed table is called in the statements made here.
const TARGET: &str = "t0";

/// A statement on rows as SQLite's statements, to be run in order.
///
/// # Errors
/// 42P01 and 42703 for unknown tables and columns, 0A000 for what can't be translated.
pub fn data(catalog: &Catalog, statement: &Statement) -> Result<Vec<String>> {
    match statement.parsed.as_deref() {
        Some(Parsed::Insert(insert)) => self::insert(catalog, insert),
        Some(Parsed::Update(update)) => self::update(catalog, update).map(|sql| vec![sql]),
        Some(Parsed::Delete(delete)) => self::delete(catalog, delete).map(|sql| vec![sql]),
        Some(Parsed::Truncate(truncate)) => self::truncate(catalog, truncate),
        _ => Err(Error::unsupported("this statement runs on PostgreSQL only")),
    }
}

fn known<'a>(catalog: &'a Catalog, name: &TableName) -> Result<&'a Table> {
    catalog.table(name).ok_or_else(|| no_such_table(name))
}

fn column<'a>(table: &'a Table, name: &TableName, column: &str) -> Result<&'a Column> {
    table.column(column).ok_or_else(|| no_such_column(column, name))
}

/// The column a name in an assignment or a list of columns means.
fn last(name: &ObjectName) -> String {
    parts(name).pop().unwrap_or_default()
}

fn insert(catalog: &Catalog, insert: &Insert) -> Result<Vec<String>> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(Error::unsupported("an insert into anything but a table"));
    };
    let name = table_name(name);
    let table = known(catalog, &name)?;
    let names: Vec<String> = insert.columns.iter().map(last).collect();
    let columns = match names.is_empty() {
        true => table.columns.iter().filter(|column| column.generated.is_none()).collect(),
        false => names.iter().map(|given| column(table, &name, given)).collect::<Result<Vec<_>>>()?,
    };
    let file = quote(&file_name(&name));
    let mut sql = match &insert.source {
        None => format!("INSERT INTO {file} AS {} DEFAULT VALUES", quote(TARGET)),
        Some(source) => {
            let (columns, rows) = rows(catalog, &columns, source)?;
            let columns: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
            format!("INSERT INTO {file} AS {} ({}) {rows}", quote(TARGET), columns.join(", "))
        }
    };
    match &insert.on {
        None => {}
        Some(OnInsert::OnConflict(rule)) => sql.push_str(&on_conflict(catalog, &name, table, rule)?),
        Some(_) => return Err(Error::unsupported("this rule for conflicts")),
    }
    let mut statements = vec![sql];
    statements.extend(numbering(&name, table));
    Ok(statements)
}

/// The rows of an insert, and the columns they are for.
fn rows<'c>(catalog: &Catalog, columns: &[&'c Column], source: &Query) -> Result<(Vec<&'c Column>, String)> {
    if let SetExpr::Values(values) = source.body.as_ref() {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let columns = columns.get(..width).ok_or_else(too_many)?.to_vec();
        let mut rows = Vec::new();
        for row in &values.rows {
            if row.content.len() != columns.len() {
                return Err(crate::schema::fault("42601", "VALUES lists must all be the same length".into()));
            }
            let cells = row.content.iter().zip(&columns).map(|(cell, column)| value(catalog, column, cell));
            rows.push(format!("({})", cells.collect::<Result<Vec<_>, _>>()?.join(", ")));
        }
        return Ok((columns, format!("VALUES {}", rows.join(", "))));
    }
    let scope = Scope::new(catalog);
    let mut translator = Translator::new(&scope);
    let (query, found) = translator.query(source)?;
    let columns = columns.get(..found.len()).ok_or_else(too_many)?.to_vec();
    let names: Vec<_> = (1..=found.len()).map(|at| quote(&format!("c{at}"))).collect();
    let cells = found.into_iter().zip(&names).zip(&columns).map(|(((_, ty), name), column)| {
        let term = Term { sql: name.clone(), ty };
        let text = matches!(term.ty, TermType::Known(Type::Text));
        let cell =
            if text { translator.cast_to(term, &column.ty) } else { translator.assigned(term, &column.ty) };
        cell.map(|term| term.sql)
    });
    let cells = cells.collect::<Result<Vec<_>, _>>()?.join(", ");
    // Without a condition SQLite would take "on conflict" for a join's.
    let sql =
        format!("SELECT {cells} FROM (WITH q({}) AS ({query}) SELECT * FROM q) WHERE true", names.join(", "));
    Ok((columns, sql))
}

fn too_many() -> Error {
    crate::schema::fault("42601", "INSERT has more expressions than target columns".into())
}

fn value(catalog: &Catalog, column: &Column, expr: &Expr) -> Result<String, Unsupported> {
    if is_default(expr) {
        return match (&column.default, column.identity) {
            (Some(default), None) => crate::expression::value(default, &column.ty, &Scope::new(catalog)),
            _ => Ok("NULL".into()),
        };
    }
    let scope = Scope::new(catalog);
    assigned(&mut Translator::new(&scope), expr, &column.ty)
}

fn is_default(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name) if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("default"))
}

/// An expression as a value of a column.
fn assigned(translator: &mut Translator<'_>, expr: &Expr, ty: &Type) -> Result<String, Unsupported> {
    if let (Expr::Array(array), Type::Array(element)) = (expr, ty)
        && let Some(term) = translator.array_as(&array.elem, element)?
    {
        return Ok(term.sql);
    }
    let term = translator.expr(expr)?;
    Ok(translator.assigned(term, ty)?.sql)
}

fn on_conflict(catalog: &Catalog, name: &TableName, table: &Table, rule: &OnConflict) -> Result<String> {
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
    let scope = Scope { table: Some(name), alias: Some(TARGET), ..Scope::new(catalog) };
    let mut translator = Translator::new(&scope);
    translator.add_relation(Relation {
        name: "excluded".into(),
        schema: None,
        alias: Some("excluded".into()),
        columns: table.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect(),
    });
    let changes = assignments(&mut translator, name, table, &update.assignments)?;
    let mut sql = format!(" ON CONFLICT{target} DO UPDATE SET {changes}");
    if let Some(condition) = &update.selection {
        sql.push_str(&format!(" WHERE {}", translator.condition(condition)?));
    }
    Ok(sql)
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
        let value = if is_default(&assignment.value) {
            value(translator.catalog(), column, &assignment.value)?
        } else {
            assigned(translator, &assignment.value, &column.ty)?
        };
        Ok(format!("{} = {value}", quote(&column.name)))
    };
    Ok(assignments.iter().map(one).collect::<Result<Vec<_>>>()?.join(", "))
}

/// Numbers for identity columns that are not the row id and were not given.
fn numbering(name: &TableName, table: &Table) -> Vec<String> {
    let file = quote(&file_name(name));
    let mut statements = Vec::new();
    for column in table.columns.iter().filter(|column| column.identity.is_some()) {
        if table.primary_key == [column.name.clone()] {
            continue;
        }
        let column = quote(&column.name);
        statements.push(format!(
            "UPDATE {file} SET {column} = n.v FROM (SELECT rowid AS r, (SELECT coalesce(max({column}), 0) FROM {file}) \
             + row_number() OVER (ORDER BY rowid) AS v FROM {file} WHERE {column} IS NULL) AS n WHERE {file}.rowid = n.r"
        ));
    }
    statements
}

fn update(catalog: &Catalog, update: &Update) -> Result<String> {
    let TableFactor::Table { name, alias, .. } = &update.table.relation else {
        return Err(Error::unsupported("an update of anything but a table"));
    };
    if update.from.is_some() || !update.table.joins.is_empty() {
        return Err(Error::unsupported("an update that reads from other tables: use a sub-select"));
    }
    let name = table_name(name);
    let table = known(catalog, &name)?;
    let scope = Scope { table: Some(&name), alias: Some(TARGET), ..Scope::new(catalog) };
    let mut translator = Translator::new(&scope);
    if let Some(alias) = alias {
        translator.rename_target(&ident(&alias.name));
    }
    let changes = assignments(&mut translator, &name, table, &update.assignments)?;
    let mut sql = format!("UPDATE {} AS {} SET {changes}", quote(&file_name(&name)), quote(TARGET));
    if let Some(condition) = &update.selection {
        sql.push_str(&format!(" WHERE {}", translator.condition(condition)?));
    }
    Ok(sql)
}

fn delete(catalog: &Catalog, delete: &Delete) -> Result<String> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [only] = from.as_slice() else { return Err(Error::unsupported("a delete from several tables")) };
    let (TableFactor::Table { name, alias, .. }, None) = (&only.relation, &delete.using) else {
        return Err(Error::unsupported("a delete that reads from other tables: use a sub-select"));
    };
    let name = table_name(name);
    known(catalog, &name)?;
    let scope = Scope { table: Some(&name), alias: Some(TARGET), ..Scope::new(catalog) };
    let mut translator = Translator::new(&scope);
    if let Some(alias) = alias {
        translator.rename_target(&ident(&alias.name));
    }
    let mut sql = format!("DELETE FROM {} AS {}", quote(&file_name(&name)), quote(TARGET));
    if let Some(condition) = &delete.selection {
        sql.push_str(&format!(" WHERE {}", translator.condition(condition)?));
    }
    Ok(sql)
}

fn truncate(catalog: &Catalog, truncate: &Truncate) -> Result<Vec<String>> {
    let one = |name: &ObjectName| {
        let name = table_name(name);
        known(catalog, &name)?;
        Ok(format!("DELETE FROM {}", quote(&file_name(&name))))
    };
    truncate.table_names.iter().map(|target| one(&target.name)).collect()
}
