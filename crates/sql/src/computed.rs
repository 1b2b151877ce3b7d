//! Functions of one row of a table: columns and relationships that are computed.

use truststream_services::database::{Catalog, Function, Link, Relationship, TableName};

use crate::schema::row_type;

/// The table whose row is a function's only parameter.
pub fn table_of(catalog: &Catalog, function: &Function) -> Option<TableName> {
    match function.parameters.as_slice() {
        [row] => row_type(catalog, &row.type_name),
        _ => None,
    }
}

/// The function that a table has for a column.
pub fn column<'c>(catalog: &'c Catalog, table: &TableName, name: &str) -> Option<&'c Function> {
    catalog.functions.iter().find(|function| {
        let value = !function.returns.set && !function.returns.composite && !function.returns.void;
        value
            && function.name.schema == table.schema
            && function.name.name == name
            && table_of(catalog, function).as_ref() == Some(table)
    })
}

/// The function that makes a relationship of a table.
pub fn rows<'c>(catalog: &'c Catalog, name: &TableName, from: &TableName) -> Option<&'c Function> {
    let meant = |function: &&Function| {
        function.name == *name
            && function.returns.table.is_some()
            && table_of(catalog, function).as_ref() == Some(from)
    };
    catalog.functions.iter().find(meant)
}

/// The relationships that functions from a row to rows make.
pub fn relationships(catalog: &Catalog) -> Vec<Relationship> {
    let relationship = |function: &Function| {
        Some(Relationship {
            from: table_of(catalog, function)?,
            to: function.returns.table.clone()?,
            link: Link::Computed { function: function.name.clone() },
            to_one: !function.returns.set || function.returns.one_row,
        })
    };
    catalog.functions.iter().filter_map(relationship).collect()
}
