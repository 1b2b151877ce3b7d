//! What the planner knows: the catalog and its relationships.

use std::sync::Arc;

use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Catalog, Column, Table, TableKind, TableName};
use truststream_sql::closest::closest;
use truststream_sql::relations::Relations;

/// A catalog ready for planning.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) relations: Relations,
    /// Foreign keys and secondary unique keys wait until a copy has ended.
    pub(crate) receiving: bool,
}

impl Schema {
    pub(crate) fn new(catalog: Catalog, receiving: bool) -> Self {
        let relations = Relations::of(&catalog);
        Schema { catalog: Arc::new(catalog), relations, receiving }
    }

    /// A table by name.
    ///
    /// # Errors
    /// PGRST205 if there is none.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        self.catalog.table(name).ok_or_else(|| {
            let message = format!("Could not find the table '{name}' in the schema cache");
            let error = Error::new(ErrorKind::NotFound, "PGRST205", message);
            let same = self.catalog.tables.keys().filter(|table| table.schema == name.schema);
            match closest(same.map(|table| table.name.as_str()), &name.name) {
                Some(near) => {
                    error.with_hint(format!("Perhaps you meant the table '{}.{near}'", name.schema))
                }
                None => error,
            }
        })
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
    table.column(column).ok_or_else(|| {
        let message = format!("column {}.{column} does not exist", name.name);
        Error::new(ErrorKind::InvalidInput, "42703", message)
    })
}

/// Tables that have rows of their own.
pub(crate) fn base_tables(catalog: &Catalog) -> impl Iterator<Item = (&TableName, &Table)> {
    catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table)
}
