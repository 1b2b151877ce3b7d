//! Composite types: what columns may be of, and functions return the rows of.

use sqlparser::ast::UserDefinedTypeCompositeAttributeDef;
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{Attribute, Catalog, Function, TableKind, TableName};

use super::functions::spelled;
use super::names::ident;
use super::type_names::{enum_name, enum_table, type_named};
use super::{fault, shown};

pub(super) fn create(
    catalog: &mut Catalog,
    name: TableName,
    attributes: &[UserDefinedTypeCompositeAttributeDef],
) -> Result<()> {
    let taken = catalog.tables.contains_key(&name) || catalog.domains.contains_key(&name);
    if taken || catalog.enums.contains_key(&name) || catalog.composites.contains_key(&name) {
        return Err(fault("42710", format!("type \"{}\" already exists", name.name)));
    }
    let mut columns: Vec<Attribute> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        if attribute.collation.is_some() {
            return Err(Error::unsupported(format!("an attribute of type \"{name}\" with a collation")));
        }
        let column = ident(&attribute.name);
        if columns.iter().any(|known| known.name == column) {
            return Err(fault("42701", format!("column \"{column}\" specified more than once")));
        }
        columns.push(Attribute { name: column, type_name: spelled(&attribute.data_type) });
    }
    catalog.composites.insert(name, columns);
    Ok(())
}

/// The columns of a composite type by the name it is written with.
pub fn columns_of_type(catalog: &Catalog, type_name: &str) -> Option<Vec<(String, Type)>> {
    let columns = catalog.composites.get(&enum_table(&type_name.replace('"', "")))?;
    let column = |one: &Attribute| (one.name.clone(), type_named(catalog, &one.type_name));
    Some(columns.iter().map(column).collect())
}

/// Drops a composite type, and with it the functions that take or return it if that is asked for.
pub(super) fn drop(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<bool> {
    let is = |type_name: &str| enum_table(&type_name.replace('"', "")) == *name;
    columns(catalog, name, cascade)?;
    let uses = |function: &Function| {
        is(&function.returns.type_name) || function.parameters.iter().any(|one| is(&one.type_name))
    };
    if catalog.functions.iter().any(uses) {
        if !cascade {
            let text = format!("cannot drop type {} because other objects depend on it", shown(name));
            return Err(fault("2BP01", text));
        }
        catalog.functions.retain(|function| !uses(function));
    }
    Ok(catalog.composites.shift_remove(name).is_some())
}

/// Drops the columns of a composite type if that is asked for, and refuses to drop it while there are any
/// if not. Types that have a field of it keep it.
fn columns(catalog: &mut Catalog, name: &TableName, cascade: bool) -> Result<()> {
    let used = Type::Other(enum_name(name));
    let nested = |attribute: &Attribute| enum_table(&attribute.type_name.replace('"', "")) == *name;
    let within = catalog.composites.values().flatten().any(nested);
    let mut columns = Vec::new();
    for (table, definition) in &catalog.tables {
        let held = definition.columns.iter().filter(|column| column.ty == used);
        columns.extend(held.map(|column| (table.clone(), column.name.clone())));
    }
    if within || (!columns.is_empty() && !cascade) {
        let text = format!("cannot drop type {} because other objects depend on it", shown(name));
        return Err(fault("2BP01", text));
    }
    for (table, column) in columns {
        if catalog.tables.get(&table).is_some_and(|table| table.kind == TableKind::Table) {
            super::alter::drop_column(catalog, &table, &column, true)?;
        } else {
            catalog.tables.shift_remove(&table);
        }
    }
    Ok(())
}
