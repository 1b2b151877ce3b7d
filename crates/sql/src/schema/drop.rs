//! `drop table`, `drop view`, `drop type`, `drop index`, `drop sequence`, `drop schema`.

use sqlparser::ast::{ObjectName, ObjectType};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Catalog, Table, TableKind, TableName};

use super::names::{parts, table_name};
use super::type_names::enum_name;
use super::{composites, dependents, domains, fault, partitions, sequences, shown};

pub(super) fn objects(
    catalog: &mut Catalog,
    kind: ObjectType,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<()> {
    let before = catalog.clone();
    let mut dropped = Vec::new();
    for name in names {
        let (found, what, code) = match kind {
            ObjectType::Table => (table(catalog, &table_name(name), cascade)?, "table", "42P01"),
            ObjectType::View => (view(catalog, &table_name(name), false), "view", "42P01"),
            ObjectType::MaterializedView => {
                (view(catalog, &table_name(name), true), "materialized view", "42P01")
            }
            ObjectType::Type => (named_type(catalog, &table_name(name), cascade)?, "type", "42704"),
            ObjectType::Index => (index(catalog, &table_name(name)), "index", "42704"),
            ObjectType::Schema => (schema(catalog, &parts(name).join("."), cascade)?, "schema", "3F000"),
            ObjectType::Sequence => (sequence(catalog, &table_name(name), cascade)?, "sequence", "42P01"),
            ObjectType::Role => (true, "role", "42704"),
            other => return Err(Error::unsupported(format!("drop {other} means nothing here"))),
        };
        let name = if kind == ObjectType::Schema { parts(name).join(".") } else { shown(&table_name(name)) };
        if !found && !if_exists {
            return Err(fault(code, format!("{what} \"{name}\" does not exist")));
        }
        dropped.push(format!("{what} {name}"));
    }
    sequences::sweep(catalog);
    dependents::settle(&before, catalog, &dropped.join(", "), cascade)
}

fn table(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<bool> {
    if partitions::drop(catalog, name) {
        return Ok(true);
    }
    if catalog.table(name).is_none_or(|table| table.kind != TableKind::Table) {
        return Ok(false);
    }
    let mut others: Vec<_> = catalog.tables.keys().filter(|other| *other != name).cloned().collect();
    others.retain(|other| catalog.tables[other].foreign_keys.iter().any(|key| key.references == *name));
    if !others.is_empty() && !cascade {
        let text = format!("cannot drop table {} because other objects depend on it", shown(name));
        return Err(fault("2BP01", text));
    }
    for other in others {
        catalog.tables[&other].foreign_keys.retain(|key| key.references != *name);
    }
    catalog.tables.shift_remove(name);
    // A function that returns the table's rows can't be without it.
    let row =
        |function: &truststream_services::database::Function| function.returns.table.as_ref() == Some(name);
    if catalog.functions.iter().any(row) {
        if !cascade {
            let text = format!("cannot drop table {} because other objects depend on it", shown(name));
            return Err(fault("2BP01", text));
        }
        catalog.functions.retain(|function| !row(function));
    }
    Ok(true)
}

fn view(catalog: &mut Catalog, name: &TableName, materialized: bool) -> bool {
    let is_it = |table: &Table| table.kind != TableKind::Table && table.is_materialized() == materialized;
    let known = catalog.table(name).is_some_and(is_it);
    if known {
        catalog.tables.shift_remove(name);
    }
    known
}

/// Drops a type, and with it the columns of it if that is asked for.
fn named_type(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<bool> {
    if catalog.domains.contains_key(name) {
        return domains::drop(catalog, name);
    }
    if catalog.composites.contains_key(name) {
        return composites::drop(catalog, name, cascade);
    }
    let used = enum_name(name);
    let is = |ty: &Type| matches!(ty, Type::Enum(name) if *name == used);
    let holds = |ty: &Type| match ty {
        Type::Array(element) => is(element),
        ty => is(ty),
    };
    let mut columns = Vec::new();
    for (table, definition) in &catalog.tables {
        let held = definition.columns.iter().filter(|column| holds(&column.ty));
        columns.extend(held.map(|column| (table.clone(), column.name.clone())));
    }
    if !columns.is_empty() && !cascade {
        let text = format!("cannot drop type {} because other objects depend on it", shown(name));
        return Err(fault("2BP01", text));
    }
    for (table, column) in columns {
        if catalog.tables[&table].kind == TableKind::Table {
            super::alter::drop_column(catalog, &table, &column, true)?;
        } else {
            catalog.tables.shift_remove(&table);
        }
    }
    Ok(catalog.enums.shift_remove(name).is_some())
}

fn index(catalog: &mut Catalog, name: &TableName) -> bool {
    let mut found = false;
    for (_, table) in catalog.tables.iter_mut().filter(|(table, _)| table.schema == name.schema) {
        let before = table.indexes.len();
        table.indexes.retain(|index| index.name != name.name);
        found |= table.indexes.len() < before;
    }
    found
}

fn sequence(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<bool> {
    if !sequences::exists(catalog, name) {
        return Ok(false);
    }
    let uses = |default: &Option<String>| default.as_deref().is_some_and(|text| sequences::takes(text, name));
    let used = catalog.tables.values().flat_map(|table| &table.columns).any(|column| uses(&column.default));
    if used && !cascade {
        let text = format!("cannot drop sequence {} because other objects depend on it", shown(name));
        return Err(fault("2BP01", text));
    }
    for column in catalog.tables.values_mut().flat_map(|table| &mut table.columns) {
        if uses(&column.default) {
            column.default = None;
            column.identity = None;
        }
    }
    catalog.sequences.shift_remove(name);
    Ok(true)
}

fn schema(catalog: &mut Catalog, name: &str, cascade: bool) -> Result<bool> {
    let within = |other: &TableName| other.schema == name;
    let tables: Vec<_> = catalog.tables.keys().filter(|table| within(table)).cloned().collect();
    let types: Vec<_> =
        catalog.enums.keys().chain(catalog.domains.keys()).filter(|ty| within(ty)).cloned().collect();
    let functions = catalog.functions.iter().any(|function| within(&function.name));
    let numbers = catalog.sequences.keys().any(within);
    if (!tables.is_empty() || !types.is_empty() || functions || numbers) && !cascade {
        let text = format!("cannot drop schema {name} because other objects depend on it");
        return Err(fault("2BP01", text));
    }
    for found in tables {
        if !table(catalog, &found, true)? {
            catalog.tables.shift_remove(&found);
        }
    }
    for found in types {
        named_type(catalog, &found, true)?;
    }
    catalog.functions.retain(|function| !within(&function.name));
    catalog.sequences.retain(|sequence, _| !within(sequence));
    Ok(catalog.schemas.shift_remove(name).is_some())
}
