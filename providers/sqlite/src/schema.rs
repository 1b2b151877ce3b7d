//! What the planner knows: the catalog, its relationships, and the names tables have in the file.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use truststream_kernel::{Result, Type};
use truststream_services::database::{Catalog, Column, Domain, Function, Table, TableName};
use truststream_sql::closest::unknown_table;
use truststream_sql::composite::Composite;
use truststream_sql::expression::result_table;
use truststream_sql::quote::quote;
use truststream_sql::relations::Relations;
use truststream_sql::schema::{enum_name, enum_table};

use crate::access::Conditions;
use crate::plan::Plans;
use crate::routine::Bodies;

/// A catalog ready for planning.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) relations: Relations,
    /// What functions return that is like no table.
    results: HashMap<TableName, Table>,
    /// Composite types by the name that types have of them.
    composites: HashMap<String, Arc<Composite>>,
    /// Whether any foreign key is looked at only when a transaction ends.
    pub(crate) defers: bool,
    /// The largest result whose estimated total is counted exactly.
    pub(crate) estimate_above: Option<u64>,
    /// Requests planned with it.
    pub(crate) plans: Plans,
    /// Functions translated with it.
    pub(crate) bodies: Bodies,
    /// Policies translated with it.
    pub(crate) conditions: Mutex<Conditions>,
}

impl Schema {
    pub(crate) fn new(catalog: Catalog, estimate_above: Option<u64>) -> Self {
        let relations = Relations::of(&catalog);
        let results = results(&catalog);
        let mut keys = catalog.tables.values().flat_map(|table| &table.foreign_keys);
        let defers = keys.any(|key| key.deferred);
        Schema {
            results,
            composites: composites(&catalog),
            defers,
            catalog: Arc::new(catalog),
            relations,
            estimate_above,
            plans: Plans::default(),
            bodies: Bodies::default(),
            conditions: Mutex::default(),
        }
    }

    /// A table by name.
    ///
    /// # Errors
    /// PGRST205 if there is none.
    pub(crate) fn table(&self, name: &TableName) -> Result<&Table> {
        let found = self.catalog.table(name).or_else(|| self.results.get(name));
        found.ok_or_else(|| unknown_table(&self.catalog, name))
    }

    /// The name under which the columns of a function's result are known.
    pub(crate) fn result_of(&self, function: &Function) -> TableName {
        let at = self.catalog.functions.iter().position(|one| std::ptr::eq(one, function));
        result_name(at.unwrap_or_default(), function)
    }

    /// The labels of an enum type, in order.
    pub(crate) fn labels(&self, ty: &Type) -> Option<&[String]> {
        let Type::Enum(name) = ty else { return None };
        let name = match name.split_once('.') {
            Some((schema, name)) => TableName::new(schema, name),
            None => TableName::public(name.as_str()),
        };
        self.catalog.enums.get(&name).map(Vec::as_slice)
    }

    /// The domain that a column is of.
    pub(crate) fn domain(&self, column: &Column) -> Option<&Domain> {
        self.catalog.domains.get(&enum_table(&column.type_name))
    }

    /// The composite type that a type is.
    pub(crate) fn composite(&self, ty: &Type) -> Option<&Arc<Composite>> {
        let Type::Other(name) = ty else { return None };
        self.composites.get(name)
    }
}

fn composites(catalog: &Catalog) -> HashMap<String, Arc<Composite>> {
    let named = |name: &TableName| {
        let name = enum_name(name);
        let composite = Composite::of(catalog, &Type::Other(name.clone()))?;
        Some((name, Arc::new(composite)))
    };
    catalog.composites.keys().filter_map(named).collect()
}

/// PostgREST names what a function returns after it. No table is in a schema of such a name.
fn result_name(at: usize, function: &Function) -> TableName {
    TableName::new(format!("\0{at}"), &function.name.name)
}

fn results(catalog: &Catalog) -> HashMap<TableName, Table> {
    let table = |(at, function)| Some((result_name(at, function), result_table(catalog, function)?));
    catalog.functions.iter().enumerate().filter_map(table).collect()
}

/// A table's name in the file, quoted.
pub(crate) fn physical(name: &TableName) -> String {
    quote(&physical_name(name))
}

/// A table's name in the file.
pub(crate) fn physical_name(name: &TableName) -> String {
    if name.schema == "public" { name.name.clone() } else { name.to_string() }
}
