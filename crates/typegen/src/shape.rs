//! A schema as generators walk it: sorted, with what is not for applications left out.

use std::collections::{BTreeMap, BTreeSet};

use truststream_services::database::{Attribute, Catalog, Function, Link, Table, TableKind, TableName};
use truststream_sql::computed;

/// A way from one table to another of its schema, as a foreign key makes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) constraint: String,
    pub(crate) to: String,
    pub(crate) columns: Vec<String>,
    pub(crate) referenced: Vec<String>,
    pub(crate) to_one: bool,
}

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

/// The ways that lead from a table or view to others of its schema, sorted.
pub(crate) fn ways(catalog: &Catalog, from: &TableName) -> Vec<Way> {
    let Some(table) = catalog.table(from) else { return Vec::new() };
    let near = |to: &TableName| to.schema == from.schema && catalog.table(to).is_some();
    let own = table.foreign_keys.iter().filter(|key| near(&key.references)).map(|key| Way {
        constraint: key.name.clone(),
        to: key.references.name.clone(),
        columns: key.columns.clone(),
        referenced: key.referenced_columns.clone(),
        to_one: is_unique(table, &key.columns),
    });
    let listed = catalog.relationships.iter().filter(|one| one.from == *from && near(&one.to));
    let listed = listed.filter_map(|one| match &one.link {
        Link::Key { constraint, columns } => {
            let (columns, referenced): (Vec<_>, Vec<_>) = columns.iter().cloned().unzip();
            let to_one = is_unique(table, &columns);
            Some(Way { constraint: constraint.clone(), to: one.to.name.clone(), columns, referenced, to_one })
        }
        Link::Junction { .. } | Link::Computed { .. } => None,
    });
    // What is listed goes both ways; a key is named where it refers, not where it is referred to.
    let forward = listed.filter(|way| refers(catalog, from, way));
    own.chain(forward).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Whether the constraint of a way belongs to the table it starts from, or to the one that a view it
/// starts from reads.
fn refers(catalog: &Catalog, from: &TableName, way: &Way) -> bool {
    let keys = |table: &TableName| {
        catalog
            .table(table)
            .is_some_and(|table| table.foreign_keys.iter().any(|key| key.name == way.constraint))
    };
    let to = TableName::new(&from.schema, &way.to);
    if catalog.table(from).is_some_and(|table| table.kind == TableKind::Table) {
        return keys(from);
    }
    // A view has no keys: the way back starts from the key's own table.
    !keys(&to) || catalog.relationships.iter().any(|one| one.from == to && one.to == *from && one.to_one)
}

fn is_unique(table: &Table, columns: &[String]) -> bool {
    let same = |key: &[String]| {
        !key.is_empty() && key.len() == columns.len() && key.iter().all(|column| columns.contains(column))
    };
    same(&table.primary_key) || table.unique_keys.iter().any(|key| same(&key.columns))
}
