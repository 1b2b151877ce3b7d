//! The seam to the translation of PostgreSQL's expressions.

use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Function, Partition, PolicyCommand, TableKind, TableName};
use truststream_sql::expression::{self, Scope, Unsupported};
use truststream_sql::partitions;
use truststream_sql::schema::view_query;

use crate::access::Access;
use crate::plan::field::Term;
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
    let read = |other: &TableName| source(schema, other, inner).map_err(|error| Unsupported::carried(&error));
    let alias = physical_name(table);
    let scope = Scope {
        table: Some(table),
        alias: Some(&alias),
        source: Some(&read),
        role: access.role(),
        ..Scope::new(&schema.catalog)
    };
    expression::condition(text, &scope).map_err(Error::from)
}

/// What stands for a table or view in a query: the rows of it that are open to the caller.
///
/// # Errors
/// 42501 if it is closed to the caller, PGRST205 if there is none.
pub(crate) fn source(schema: &Schema, name: &TableName, access: Access<'_>) -> Result<String> {
    if let Some((table, partition)) = schema.catalog.partition(name) {
        return of_partition(schema, table, partition, access);
    }
    let policy = access.using(schema, name, PolicyCommand::Select)?;
    let table = schema.table(name)?;
    if let TableKind::View { invoker: true, .. } = table.kind
        && access.role().is_some()
    {
        let inner = access.deeper();
        if inner.depth() > DEEPEST {
            return Err(Error::unsupported(format!("view {name} leads to too many others")));
        }
        let read =
            |other: &TableName| source(schema, other, inner).map_err(|error| Unsupported::carried(&error));
        let scope = Scope { source: Some(&read), role: access.role(), ..Scope::new(&schema.catalog) };
        return Ok(format!("({})", view_query(&scope, table).map_err(Error::from)?));
    }
    Ok(match policy {
        None => physical(name),
        Some(policy) => format!("(SELECT * FROM {} WHERE {policy})", physical(name)),
    })
}

/// The rows of a partition by its own name: who may read them is a matter of its own grants and policies.
fn of_partition(
    schema: &Schema,
    table: &TableName,
    partition: &Partition,
    access: Access<'_>,
) -> Result<String> {
    let open = access.of_partition(schema, (table, partition), (PolicyCommand::Select, false))?;
    let rows = partitions::only(&schema.catalog, table, partition)?;
    let conditions: Vec<String> = std::iter::once(rows).chain(open).collect();
    Ok(format!("(SELECT * FROM {} WHERE {})", physical(table), conditions.join(" AND ")))
}

/// The condition under which a statement that names a table or a partition may touch existing rows; `None` if
/// all are open.
///
/// # Errors
/// 42501 if it is closed to the caller, PGRST205 if there is none.
pub(crate) fn guard(
    schema: &Schema,
    name: &TableName,
    command: PolicyCommand,
    access: Access<'_>,
) -> Result<Option<String>> {
    match schema.catalog.partition(name) {
        Some(found) => access.of_partition(schema, found, (command, false)),
        None => access.using(schema, name, command),
    }
}

/// A view's rows with the row ids of the table written through it: those that a command may touch, and read
/// too where it reads them, or without one all, to show what was written.
///
/// # Errors
/// 42501 where the table is closed to a caller whose rights count; what can't be translated.
pub(crate) fn rows_through(
    schema: &Schema,
    view: &TableName,
    access: Access<'_>,
    command: Option<(PolicyCommand, bool)>,
) -> Result<String> {
    let inner = access.deeper();
    let invoker = matches!(schema.table(view)?.kind, TableKind::View { invoker: true, .. });
    let read = |other: &TableName| source(schema, other, inner).map_err(|error| Unsupported::carried(&error));
    let base = |table: &TableName| -> std::result::Result<String, Unsupported> {
        let Some((command, reads)) = command.filter(|_| invoker) else { return Ok(physical(table)) };
        let open =
            |command| inner.using(schema, table, command).map_err(|error| Unsupported::carried(&error));
        let readable = if reads { open(PolicyCommand::Select)? } else { None };
        let conditions: Vec<_> = open(command)?.into_iter().chain(readable).collect();
        Ok(match conditions.is_empty() {
            true => physical(table),
            false => {
                let (name, conditions) = (physical(table), conditions.join(" AND "));
                format!("(SELECT rowid AS rowid, * FROM {name} WHERE {conditions})")
            }
        })
    };
    let scope = Scope { role: access.role(), ..Scope::new(&schema.catalog) };
    let scope = if invoker { Scope { source: Some(&read), ..scope } } else { scope };
    truststream_sql::updatable::rows(&scope, view, command.is_some(), &base).map_err(Error::from)
}

/// What the function of a cast makes of a value, with the rights of the caller.
///
/// # Errors
/// 42501 if the function is closed to the caller; what can't be translated.
pub(crate) fn cast_value(
    schema: &Schema,
    function: &Function,
    value: Term,
    access: Access<'_>,
) -> Result<Term> {
    let inner = access.deeper();
    let read = |other: &TableName| source(schema, other, inner).map_err(|error| Unsupported::carried(&error));
    let scope = Scope { source: Some(&read), role: access.role(), ..Scope::new(&schema.catalog) };
    let (sql, ty) = expression::cast_value(function, (&value.sql, &value.ty), &scope).map_err(Error::from)?;
    Ok(Term { sql, ty })
}

/// The scope of a check, default or index of a table.
pub(crate) fn of_table<'a>(catalog: &'a Catalog, table: &'a TableName) -> Scope<'a> {
    Scope::of_table(catalog, table)
}
