//! The seam to the translation of PostgreSQL's expressions.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, PolicyCommand, TableName};
use truststream_sql::expression::{self, Scope, Unsupported};

use crate::access::Access;
use crate::schema::{Schema, physical, physical_name};

/// How deep policies may lead to other tables with policies.
const DEEPEST: usize = 8;

/// A condition of a policy on rows of a table, as SQLite's SQL. What its sub-selects read is
/// subject to the caller's policies too.
pub(crate) fn condition(
    schema: &Schema,
    table: &TableName,
    access: Access<'_>,
    text: &str,
) -> Result<String> {
    let inner = access.deeper();
    if inner.depth() > DEEPEST {
        let message = format!("infinite recursion detected in policy for relation \"{}\"", table.name);
        return Err(Error::new(truststream_kernel::ErrorKind::InvalidInput, "42P17", message));
    }
    let source = |other: &TableName| {
        let allowed = inner.using(schema, other, PolicyCommand::Select);
        match allowed {
            Ok(None) => Ok(physical(other)),
            Ok(Some(policy)) => Ok(format!("(SELECT * FROM {} WHERE {policy})", physical(other))),
            Err(error) => Err(Unsupported { text: text.to_owned(), reason: error.message().to_owned() }),
        }
    };
    let alias = physical_name(table);
    let scope =
        Scope { catalog: &schema.catalog, table: Some(table), alias: Some(&alias), source: Some(&source) };
    expression::condition(text, &scope).map_err(Error::from)
}

/// The scope of a check, default or index of a table.
pub(crate) fn of_table<'a>(catalog: &'a Catalog, table: &'a TableName) -> Scope<'a> {
    Scope::of_table(catalog, table)
}
