//! `drop table`, `drop view`, `drop type`, `drop index`, `drop schema`.

use sqlparser::ast::{ObjectName, ObjectType};
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, TableKind, TableName};

use super::names::{parts, table_name};
use super::type_names::enum_name;
use super::{fault, shown};

pub(super) fn objects(
    catalog: &mut Catalog,
    kind: ObjectType,
    names: &[ObjectName],
    if_exists: bool,
    cascade: bool,
) -> Result<()> {
    for name in names {
        let found = match kind {
            ObjectType::Table => table(catalog, &table_name(name), cascade)?,
            ObjectType::View | ObjectType::MaterializedView => view(catalog, &table_name(name)),
            ObjectType::Type => enumeration(catalog, &table_name(name))?,
            ObjectType::Index => index(catalog, &table_name(name)),
            ObjectType::Schema => schema(catalog, &parts(name).join("."), cascade)?,
            ObjectType::Sequence | ObjectType::Role => true,
            other => return Err(Error::unsupported(format!("drop {other} means nothing here"))),
        };
        if !found && !if_exists {
            let (code, what) = match kind {
                ObjectType::Type => ("42704", "type"),
                ObjectType::Index => ("42704", "index"),
                ObjectType::View | ObjectType::MaterializedView => ("42P01", "view"),
                ObjectType::Schema => ("3F000", "schema"),
                _ => ("42P01", "table"),
            };
            let name = if kind == ObjectType::Schema { name.to_string() } else { shown(&table_name(name)) };
            return Err(fault(code, format!("{what} \"{name}\" does not exist")));
        }
    }
    Ok(())
}

fn table(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<bool> {
    if !catalog.tables.contains_key(name) {
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
    Ok(true)
}

fn view(catalog: &mut Catalog, name: &TableName) -> bool {
    let known = catalog.table(name).is_some_and(|table| table.kind != TableKind::Table);
    if known {
        catalog.tables.shift_remove(name);
    }
    known
}

fn enumeration(catalog: &mut Catalog, name: &TableName) -> Result<bool> {
    let used = enum_name(name);
    let holds = |ty: &truststream_kernel::Type| match ty {
        truststream_kernel::Type::Enum(name) => *name == used,
        truststream_kernel::Type::Array(element) => {
            matches!(element.as_ref(), truststream_kernel::Type::Enum(name) if *name == used)
        }
        _ => false,
    };
    if catalog.tables.values().flat_map(|table| &table.columns).any(|column| holds(&column.ty)) {
        let text = format!("cannot drop type {} because other objects depend on it", shown(name));
        return Err(fault("2BP01", text));
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

fn schema(catalog: &mut Catalog, name: &str, cascade: bool) -> Result<bool> {
    let tables: Vec<_> = catalog.tables.keys().filter(|table| table.schema == name).cloned().collect();
    if !tables.is_empty() && !cascade {
        let text = format!("cannot drop schema {name} because other objects depend on it");
        return Err(fault("2BP01", text));
    }
    for found in tables {
        table(catalog, &found, true)?;
    }
    Ok(catalog.schemas.shift_remove(name).is_some())
}
