//! The schema of the database as requests are planned against it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use truststream_kernel::Result;
use truststream_services::database::{Catalog, Column, Table, TableName, errors};
use truststream_sql::closest::unknown_table;
use truststream_sql::relations::Relations;

/// The catalog and what else planning needs. Replaced as a whole when the schema changes.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) relations: Relations,
    /// Casts by which a domain is represented: from type and to type, to the function.
    pub(crate) representations: HashMap<(String, String), String>,
    /// Aggregates that answer a media type: relation (none: any) and media type, to the function.
    pub(crate) handlers: HashMap<(Option<TableName>, String), Handler>,
    /// Time zones that the server knows.
    pub(crate) time_zones: Arc<HashSet<String>>,
    /// Settings of functions (`create function … set`), by name.
    pub(crate) function_settings: HashMap<TableName, Vec<(String, String)>>,
    /// What the catalogs looked like.
    pub(crate) fingerprint: Option<String>,
}

/// A function that answers a media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    pub(crate) function: TableName,
    /// The media type it really makes; differs from the key's for `*/*`.
    pub(crate) media_type: String,
}

impl Schema {
    /// A table or view.
    ///
    /// # Errors
    /// PGRST205 if there is none.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        self.catalog.table(name).ok_or_else(|| unknown_table(&self.catalog, name))
    }

    /// A column that a write names.
    ///
    /// # Errors
    /// PGRST204 if the table has none of that name.
    pub(crate) fn column<'t>(&self, table: &'t Table, name: &TableName, column: &str) -> Result<&'t Column> {
        table.column(column).ok_or_else(|| errors::unknown_column(name, column))
    }

    /// The function that turns values of type `from` into `to`, where a cast of a domain says so.
    pub(crate) fn representation(&self, from: &str, to: &str) -> Option<&str> {
        if self.representations.is_empty() {
            return None;
        }
        self.representations.get(&(from.to_owned(), to.to_owned())).map(String::as_str)
    }
}
