//! `insert` as SQLite's.

use sqlparser::ast::{
    ConflictTarget, Expr, Insert, OnConflict, OnConflictAction, OnInsert, Query, SetExpr, TableObject,
};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Column, PolicyCommand, Table, TableName};

use super::target::Target;
use super::write::{self, Rules, Write, assignments, fitted, last, returning, value, within};
use super::{row_ids, trigger};
use crate::expression::{Columns, Relation, Term, TermType, Translator, Unsupported, file_name};
use crate::quote::quote;
use crate::schema::{ident, is_default};

pub(super) fn insert(translator: &mut Translator<'_>, insert: &Insert, rules: &Rules<'_>) -> Result<Write> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(Error::unsupported("an insert into anything but a table"));
    };
    let catalog = translator.catalog();
    let target = Target::find(catalog, &translator.table_named(name))?;
    trigger::refuse(catalog, target.pair(), "insert")?;
    if let Some(guard) = rules.guard {
        guard(target.named(), PolicyCommand::Insert)?;
    }
    let names: Vec<String> = insert.columns.iter().map(last).collect();
    let columns = match names.is_empty() {
        true => target.table.columns.iter().filter(|column| column.generated.is_none()).collect(),
        false => names.iter().map(|given| target.column(given)).collect::<Result<Vec<_>>>()?,
    };
    let given = match &insert.source {
        None => (Vec::new(), "DEFAULT VALUES".to_owned()),
        Some(source) => self::rows(translator, target.pair(), &columns, source)?,
    };
    let given = row_ids::told(catalog, target.pair(), given);
    let mut sql = inserted(translator, &target, target.decided(catalog, given)?, rules)?;
    let relation = target.relation(insert.table_alias.as_ref().map(|alias| ident(&alias.alias)));
    let mut upserts = false;
    match &insert.on {
        None => {}
        Some(OnInsert::OnConflict(rule)) => {
            upserts = matches!(rule.action, OnConflictAction::DoUpdate(_));
            sql.push_str(&on_conflict(translator, &target, &relation, rule)?);
        }
        Some(_) => return Err(Error::unsupported("this rule for conflicts")),
    }
    let returning = returning(translator, relation, insert.returning.as_deref())?;
    Ok(Write { upserts, ..target.write(PolicyCommand::Insert, sql, returning) })
}

/// The insert of rows, as the table's triggers make them.
fn inserted(
    translator: &Translator<'_>,
    target: &Target<'_>,
    (columns, rows): (Vec<&Column>, String),
    rules: &Rules<'_>,
) -> Result<String> {
    let catalog = translator.catalog();
    let file = quote(&file_name(target.name));
    let names: Vec<String> = columns.iter().map(|column| quote(&column.name)).collect();
    let names = names.join(", ");
    let cells: Vec<_> = columns
        .iter()
        .map(|column| (column.name.clone(), format!("\"q\".{}", quote(&column.name))))
        .collect();
    // What is looked at once more is not computed once more.
    let whole = if target.is_partition() { " LIMIT -1" } else { "" };
    let from = (!columns.is_empty())
        .then(|| format!("(WITH q({names}) AS ({rows}) SELECT * FROM q{whole}) AS \"q\""));
    let only_if = rules.only_if.map(str::to_owned);
    if let Some(before) =
        trigger::before(catalog, target.pair(), PolicyCommand::Insert, &cells, from.as_deref())?
    {
        let admits = target.admits(translator, PolicyCommand::Insert, |column| Ok(write::whole(column)))?;
        let conditions = only_if.into_iter().chain(admits).map(|condition| format!(" AND {condition}"));
        let conditions: String = conditions.collect();
        let columns: Vec<_> = before.columns.iter().map(|column| quote(column)).collect();
        return Ok(format!("INSERT INTO {file} ({}) {}{conditions}", columns.join(", "), before.sql));
    }
    let cell = |column: &Column| target.proposed(catalog, &columns, column);
    let admits = target.admits(translator, PolicyCommand::Insert, cell)?;
    let conditions: Vec<String> = only_if.into_iter().chain(admits).collect();
    Ok(match (columns.is_empty(), conditions.is_empty()) {
        (true, true) => format!("INSERT INTO {file} {rows}"),
        (true, false) => {
            return Err(Error::unsupported("an insert of nothing but defaults under a condition"));
        }
        (false, true) => format!("INSERT INTO {file} ({names}) {rows}"),
        (false, false) => {
            let (from, conditions) = (from.unwrap_or_default(), conditions.join(" AND "));
            format!("INSERT INTO {file} ({names}) SELECT * FROM {from} WHERE {conditions}")
        }
    })
}

/// The rows of an insert, and the columns they are for.
fn rows<'c>(
    translator: &mut Translator<'_>,
    target: (&TableName, &Table),
    columns: &[&'c Column],
    source: &Query,
) -> Result<(Vec<&'c Column>, String)> {
    let catalog = translator.catalog();
    if let (SetExpr::Values(values), None) = (source.body.as_ref(), &source.with) {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let columns = columns.get(..width).ok_or_else(too_many)?.to_vec();
        let mut rows = Vec::new();
        for row in &values.rows {
            let cell = |(column, expr): (&&Column, &Expr)| {
                let cell = value(translator, target, column, expr)?;
                let given = !is_default(expr);
                Ok::<_, Unsupported>(if given { row_ids::given(catalog, target, column, cell) } else { cell })
            };
            let cells = columns.iter().zip(&row.content).map(cell);
            rows.push(format!("({})", cells.collect::<Result<Vec<_>, _>>()?.join(", ")));
        }
        return Ok((columns, format!("VALUES {}", rows.join(", "))));
    }
    let (query, found) = translator.query(source)?;
    let columns = columns.get(..found.len()).ok_or_else(too_many)?.to_vec();
    let names: Vec<_> = (1..=found.len()).map(|at| quote(&format!("c{at}"))).collect();
    let cells = converted(translator, found, &names, &columns)?.into_iter().zip(&columns);
    let cells = cells.map(|(cell, column)| row_ids::given(catalog, target, column, cell));
    let cells = cells.collect::<Vec<_>>().join(", ");
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
) -> Result<Vec<String>> {
    let cells = found.into_iter().zip(names).zip(columns).map(|(((_, ty), name), column)| {
        let term = Term { sql: name.clone(), ty };
        let text = matches!(term.ty, TermType::Known(Type::Text));
        let long = matches!(column.ty, Type::Varchar(Some(_)) | Type::Char(_));
        if text && !long {
            return translator.cast_to(term, &column.ty).map(|term| term.sql);
        }
        fitted(translator, term, &column.ty, false)
    });
    Ok(cells.collect::<Result<_, _>>()?)
}

fn too_many() -> Error {
    crate::schema::fault("42601", "INSERT has more expressions than target columns".into())
}

fn on_conflict(
    translator: &mut Translator<'_>,
    target: &Target<'_>,
    into: &Relation,
    rule: &OnConflict,
) -> Result<String> {
    let table = target.table;
    let key = match &rule.conflict_target {
        None => String::new(),
        Some(ConflictTarget::Columns(columns)) => {
            let columns = columns.iter().map(|given| Ok(quote(&target.column(&ident(given))?.name)));
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
        return Ok(format!(" ON CONFLICT{key} DO NOTHING"));
    };
    trigger::refuse(translator.catalog(), target.pair(), "update")?;
    let excluded = Relation::of_table(&TableName::public("excluded"), table).aliased("excluded");
    // A level of its own: names that are not qualified mean the table.
    within(translator, vec![excluded], |translator| {
        within(translator, vec![into.clone()], |translator| {
            let changes = assignments(translator, target, &update.assignments)?;
            let mut sql = format!(" ON CONFLICT{key} DO UPDATE SET {changes}");
            if let Some(condition) = &update.selection {
                sql.push_str(&format!(" WHERE {}", translator.condition(condition)?));
            }
            Ok(sql)
        })
    })
}
