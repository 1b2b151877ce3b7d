//! Columns of a table that stays.

use truststream_services::database::{Catalog, Column, Identity, Table, TableName};

use super::Change;
use crate::render::{column, column_type, name, relation};

/// Tables that lose a column or give one another type.
pub(super) fn touched(from: &Catalog, to: &Catalog) -> Vec<TableName> {
    let changed = |table: &TableName, before: &Table| {
        let Some(after) = to.table(table) else { return false };
        before.columns.iter().any(|old| match after.column(&old.name) {
            Some(new) => column_type(from, old) != column_type(to, new) || old.generated != new.generated,
            None => true,
        })
    };
    from.tables
        .iter()
        .filter(|(table, before)| changed(table, before))
        .map(|(table, _)| table.clone())
        .collect()
}

pub(super) fn altered(from: &Catalog, to: &Catalog, table: &TableName) -> Vec<Change> {
    let (Some(before), Some(after)) = (from.table(table), to.table(table)) else { return Vec::new() };
    let mut changes = Vec::new();
    let alter = |what: String| format!("alter table {} {what}", relation(table));
    for old in before.columns.iter().filter(|old| after.column(&old.name).is_none()) {
        let sql = alter(format!("drop column {}", name(&old.name)));
        changes.push(Change::destroying(sql, format!("the values of {table}.{}", old.name)));
    }
    for new in &after.columns {
        let add = || alter(format!("add column {}", column(to, table, new)));
        match before.column(&new.name) {
            None => changes.push(Change::new(add())),
            Some(old) if old.generated != new.generated => {
                let sql = alter(format!("drop column {}", name(&old.name)));
                let kept = old.generated.is_none().then(|| format!("the values of {table}.{}", old.name));
                changes.push(Change { sql, destroys: kept });
                changes.push(Change::new(add()));
            }
            Some(old) => {
                let alter = |what: String| alter(format!("alter column {} {what}", name(&new.name)));
                changes.extend(of_column((from, old), (to, new), table, alter));
            }
        }
    }
    changes
}

fn of_column(
    (from, old): (&Catalog, &Column),
    (to, new): (&Catalog, &Column),
    table: &TableName,
    alter: impl Fn(String) -> String,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let own = |column: &Column| matches!(column.identity, Some(Identity::Always | Identity::ByDefault));
    let ty = column_type(to, new);
    let retyped = column_type(from, old) != ty;
    if own(old) && !own(new) {
        changes.push(Change::new(alter("drop identity".into())));
    }
    // A default of the old type can stand in the way of the new one.
    let given = |column: &Column| {
        if own(column) || column.generated.is_some() { None } else { column.default.clone() }
    };
    let (was, is) = (given(old), given(new));
    if was.is_some() && (retyped || is.is_none()) {
        changes.push(Change::new(alter("drop default".into())));
    }
    if retyped {
        let sql = alter(format!("type {ty} using {}::{ty}", name(&new.name)));
        let lost = format!("what of {table}.{} {} can't tell", new.name, ty);
        changes.push(Change::destroying(sql, lost));
    }
    if let Some(default) = is.filter(|is| retyped || was.as_ref() != Some(is)) {
        changes.push(Change::new(alter(format!("set default {default}"))));
    }
    if old.nullable != new.nullable && !own(new) {
        let word = if new.nullable { "drop" } else { "set" };
        changes.push(Change::new(alter(format!("{word} not null"))));
    }
    let when =
        |column: &Column| if column.identity == Some(Identity::Always) { "always" } else { "by default" };
    match (own(old), own(new)) {
        (false, true) => changes.push(Change::new(alter(format!("add generated {} as identity", when(new))))),
        (true, true) if old.identity != new.identity => {
            changes.push(Change::new(alter(format!("set generated {}", when(new)))));
        }
        _ => {}
    }
    changes
}
