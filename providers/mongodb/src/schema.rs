//! What the planner knows: the catalog and its relationships.

use std::collections::HashMap;
use std::sync::Arc;

use truststream_kernel::{Result, Type};
use truststream_services::database::{Catalog, Column, Function, Table, TableKind, TableName, errors};
use truststream_sql::closest::unknown_table;
use truststream_sql::computed;
use truststream_sql::expression::result_table;
use truststream_sql::relations::Relations;
use truststream_sql::schema::view_relationships;

/// A catalog ready for planning.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) relations: Relations,
    /// Foreign keys and secondary unique keys wait until a copy has ended.
    pub(crate) receiving: bool,
    /// What functions give that is no row of a table, as tables.
    results: HashMap<TableName, Table>,
}

impl Schema {
    pub(crate) fn new(catalog: Catalog, receiving: bool) -> Self {
        let catalog = derived(catalog);
        let relations = Relations::of(&catalog);
        let made = catalog.functions.iter().filter(|function| function.returns.type_name != "trigger");
        let results =
            made.filter_map(|function| Some((result_of(function), result_table(&catalog, function)?)));
        let results = results.collect();
        Schema { catalog: Arc::new(catalog), relations, receiving, results }
    }

    /// A table by name.
    ///
    /// # Errors
    /// PGRST205 if there is none.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        let found = self.catalog.table(name).or_else(|| self.results.get(name));
        found.ok_or_else(|| unknown_table(&self.catalog, name))
    }
}

/// A catalog with the relationships that its views and functions make.
pub(crate) fn derived(mut catalog: Catalog) -> Catalog {
    catalog.relationships = view_relationships(&catalog);
    catalog.relationships.extend(computed::relationships(&catalog));
    catalog
}

/// The table that what a function gives is like: named after it, in a schema that no table is in.
pub(crate) fn result_of(function: &Function) -> TableName {
    match &function.returns.table {
        Some(table) if function.returns.composite => table.clone(),
        _ => {
            let types = function.parameters.iter().map(|parameter| parameter.type_name.as_str());
            let types = types.collect::<Vec<_>>().join(",");
            TableName::new(format!("%{}({types})", function.name.schema), &function.name.name)
        }
    }
}

/// The labels of an enum type, in order.
pub(crate) fn labels<'c>(catalog: &'c Catalog, ty: &Type) -> Option<&'c [String]> {
    let Type::Enum(name) = ty else { return None };
    let name = match name.split_once('.') {
        Some((schema, name)) => TableName::new(schema, name),
        None => TableName::public(name.as_str()),
    };
    catalog.enums.get(&name).map(Vec::as_slice)
}

/// A column by name.
///
/// # Errors
/// 42703 if there is none.
pub(crate) fn column<'t>(table: &'t Table, name: &TableName, column: &str) -> Result<&'t Column> {
    table.column(column).ok_or_else(|| errors::no_column(name, table, column))
}

/// Tables that have rows of their own.
pub(crate) fn base_tables(catalog: &Catalog) -> impl Iterator<Item = (&TableName, &Table)> {
    catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table)
}
