//! Keys that are SQLite's row ids: it would number a row whose key is null, which PostgreSQL refuses.

use truststream_services::database::{Catalog, Column, PolicyCommand, Table, TableName};

use crate::quote::{literal, quote};
use crate::schema::row_number;

type Named<'n> = (&'n TableName, &'n Table);

/// The key of a table, if it is the row id. Triggers before an insert may give what has no value, unless
/// `early`.
fn key<'t>(catalog: &Catalog, (name, table): Named<'t>, early: bool) -> Option<&'t Column> {
    let judged = |key: &&Column| {
        let fires = |event: &String| event == "insert";
        let later = table.triggers.iter().any(|one| one.before && one.events.iter().any(fires));
        early || key.identity.is_some() || !later
    };
    row_number(catalog, name, table).filter(judged)
}

/// A value that fails where it is null.
fn no_null(name: &TableName, column: &Column, value: &str) -> String {
    let (relation, column) = (literal(&name.name), literal(&column.name));
    format!("coalesce({value}, ts_null_value({relation}, {column}))")
}

/// A value that is given for a column of a new row.
pub(super) fn given(catalog: &Catalog, named: Named<'_>, column: &Column, value: String) -> String {
    let is_key = key(catalog, named, false).is_some_and(|key| key.name == column.name);
    let is_known = value.parse::<i64>().is_ok();
    if is_key && !is_known { no_null(named.0, column, &value) } else { value }
}

/// New rows that have a value for a key which nothing else numbers.
pub(super) fn told<'c>(
    catalog: &Catalog,
    named: Named<'c>,
    (mut columns, mut rows): (Vec<&'c Column>, String),
) -> (Vec<&'c Column>, String) {
    let lacking = key(catalog, named, false).filter(|key| key.identity.is_none());
    let Some(key) = lacking.filter(|key| !columns.iter().any(|one| one.name == key.name)) else {
        return (columns, rows);
    };
    let value = no_null(named.0, key, "NULL");
    rows = match columns.is_empty() {
        true => format!("SELECT {value}"),
        false => format!("SELECT *, {value} FROM ({rows}) WHERE true"),
    };
    columns.push(key);
    (columns, rows)
}

/// A column of a row that triggers made to be inserted.
pub(super) fn made(catalog: &Catalog, named: Named<'_>, command: PolicyCommand, column: &str) -> String {
    let quoted = quote(column);
    let lacking = key(catalog, named, true).filter(|key| key.identity.is_none() && key.name == column);
    match lacking.filter(|_| command == PolicyCommand::Insert) {
        Some(key) => format!("{} AS {quoted}", no_null(named.0, key, &quoted)),
        None => quoted,
    }
}
