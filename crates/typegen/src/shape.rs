//! A schema as generators walk it: sorted, with what is not for applications left out.

use std::collections::{BTreeMap, BTreeSet};

use truststream_services::database::{Attribute, Catalog, Function, Table, TableKind, TableName};
use truststream_sql::computed;

/// Tables or views of a schema by name.
pub(crate) fn relations<'c>(catalog: &'c Catalog, schema: &str, views: bool) -> BTreeMap<&'c str, &'c Table> {
    let all = catalog.tables.iter().filter(|(name, _)| name.schema == schema);
    let wanted = all.filter(|(_, table)| (table.kind != TableKind::Table) == views);
    wanted.map(|(name, table)| (name.name.as_str(), table)).collect()
}

/// Composite types of a schema by name.
pub(crate) fn composites<'c>(catalog: &'c Catalog, schema: &str) -> BTreeMap<&'c str, &'c [Attribute]> {
    let all = catalog.composites.iter().filter(|(name, _)| name.schema == schema);
    all.map(|(name, fields)| (name.name.as_str(), fields.as_slice())).collect()
}

/// Enums of a schema by name.
pub(crate) fn enums<'c>(catalog: &'c Catalog, schema: &str) -> BTreeMap<&'c str, &'c [String]> {
    let all = catalog.enums.iter().filter(|(name, _)| name.schema == schema);
    all.map(|(name, labels)| (name.name.as_str(), labels.as_slice())).collect()
}

/// Functions of a schema that can be called by name, or that make a relationship; overloads
/// together.
pub(crate) fn functions<'c>(catalog: &'c Catalog, schema: &str) -> BTreeMap<&'c str, Vec<&'c Function>> {
    let mut found: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
    for function in catalog.functions.iter().filter(|function| function.name.schema == schema) {
        let unnamed = function.parameters.iter().filter(|parameter| parameter.name.is_empty()).count();
        let column = computed::table_of(catalog, function).is_some() && function.returns.table.is_none();
        let callable = unnamed == 0 || function.parameters.len() == 1;
        if callable && !column && !function.returns.type_name.ends_with("trigger") {
            found.entry(&function.name.name).or_default().push(function);
        }
    }
    for overloads in found.values_mut() {
        overloads.sort_by_cached_key(|function| {
            let names = function.parameters.iter().map(|one| (one.name.clone(), one.type_name.clone()));
            names.collect::<Vec<_>>()
        });
    }
    found
}

/// Functions of a table's row that stand for columns of it, by name.
pub(crate) fn computed_columns<'c>(
    catalog: &'c Catalog,
    table: &TableName,
) -> BTreeMap<&'c str, &'c Function> {
    let names: BTreeSet<&str> = catalog
        .functions
        .iter()
        .filter(|function| function.name.schema == table.schema)
        .map(|function| function.name.name.as_str())
        .collect();
    let found = names.into_iter().filter_map(|name| Some((name, computed::column(catalog, table, name)?)));
    found.collect()
}
