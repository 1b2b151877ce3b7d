//! Rows that are there already, or come with a migration, against the rules of their tables: in
//! PostgreSQL's words.

use rusqlite::{Connection, ffi};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{
    Catalog, Column, ForeignKey, Partitioning, Table, TableKind, TableName, errors,
};
use truststream_sql::partitions;
use truststream_sql::quote::quote;

use crate::error::convert;
use crate::schema::{physical, physical_name};

/// What a statement of a migration that writes rows violates.
pub(crate) fn violated(catalog: &Catalog, error: rusqlite::Error) -> Error {
    named(catalog, &error).unwrap_or_else(|| convert(error))
}

fn named(catalog: &Catalog, error: &rusqlite::Error) -> Option<Error> {
    let text = error.to_string();
    let (_, subject) = text.split_once("failed: ")?;
    match error.sqlite_error()?.extended_code {
        ffi::SQLITE_CONSTRAINT_NOTNULL => {
            let (table, column) = subject.rsplit_once('.')?;
            let name = file(catalog, table)?.0;
            Some(errors::null_value(name, column))
        }
        ffi::SQLITE_CONSTRAINT_CHECK => {
            if let Some(name) = divided(catalog, subject) {
                return Some(in_none(name));
            }
            let known = |(name, table)| check(name, table, subject);
            Some(errors::check_violated(tables(catalog).find_map(known)?, subject))
        }
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            let message =
                format!("duplicate key value violates unique constraint \"{}\"", key(catalog, subject)?);
            Some(Error::new(ErrorKind::AlreadyExists, "23505", message))
        }
        _ => None,
    }
}

/// The error of a row that is in no partition.
pub(crate) fn in_none(name: &TableName) -> Error {
    let message = format!("no partition of relation \"{}\" found for row", name.name);
    Error::new(ErrorKind::Constraint, "23514", message)
}

/// What a constraint says that a row is in no partition of: a table, or a partition that is divided itself.
pub(crate) fn divided<'c>(catalog: &'c Catalog, constraint: &str) -> Option<&'c TableName> {
    let called = partitions::constrained(constraint)?;
    let parts = |(_, table): (_, &'c Table)| table.partitioning.iter().flat_map(Partitioning::all);
    let parts = tables(catalog).flat_map(parts).map(|(_, one)| &one.name);
    tables(catalog).map(|(name, _)| name).chain(parts).find(|name| physical_name(name) == called)
}

fn tables(catalog: &Catalog) -> impl Iterator<Item = (&TableName, &Table)> {
    catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table)
}

fn file<'c>(catalog: &'c Catalog, called: &str) -> Option<(&'c TableName, &'c Table)> {
    tables(catalog).find(|(name, _)| physical_name(name) == called)
}

/// The relation that a check of a table is of: the table, or a partition alone.
fn check<'t>(name: &'t TableName, table: &'t Table, called: &str) -> Option<&'t TableName> {
    let known = table.checks.iter().find(|check| check.name == called)?;
    Some(known.partition.as_ref().unwrap_or(name))
}

/// The key that SQLite names by its index or by its columns.
fn key(catalog: &Catalog, subject: &str) -> Option<String> {
    if let Some(index) = subject.strip_prefix("index '").and_then(|index| index.strip_suffix('\'')) {
        return Some(index.rsplit_once('.').map_or(index, |(_, name)| name).to_owned());
    }
    let (called, _) = subject.split(", ").next()?.rsplit_once('.')?;
    let (name, table) = file(catalog, called)?;
    let prefix = format!("{called}.");
    let columns: Vec<&str> =
        subject.split(", ").map(|column| column.strip_prefix(&prefix).unwrap_or(column)).collect();
    let same = |key: &[String]| key.iter().map(String::as_str).eq(columns.iter().copied());
    if same(&table.primary_key) {
        return Some(table.primary_key_name(name));
    }
    let keys = table.unique_keys.iter().find(|key| same(&key.columns)).map(|key| key.name.clone());
    keys.or_else(|| table.indexes.iter().find(|index| same(&index.terms)).map(|index| index.name.clone()))
}

/// Why the rows of a table don't fit what the table is to be.
pub(super) fn unfit(name: &TableName, table: &Table, error: rusqlite::Error) -> Error {
    let text = error.to_string();
    let subject = text.split_once("failed: ").map_or("", |(_, subject)| subject);
    match error.sqlite_error().map(|native| native.extended_code) {
        Some(ffi::SQLITE_CONSTRAINT_NOTNULL) => {
            let column = subject.rsplit_once('.').map_or(subject, |(_, column)| column);
            let message = format!("column \"{column}\" of relation \"{}\" contains null values", name.name);
            Error::new(ErrorKind::Constraint, "23502", message)
        }
        Some(ffi::SQLITE_CONSTRAINT_CHECK) => {
            let message = format!(
                "check constraint \"{subject}\" of relation \"{}\" is violated by some row",
                check(name, table, subject).unwrap_or(name).name
            );
            Error::new(ErrorKind::Constraint, "23514", message)
        }
        Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID) => {
            duplicated(&table.primary_key_name(name))
        }
        _ => convert(error),
    }
}

/// Refuses a key that is null in some row.
pub(super) fn refuse_nulls(conn: &Connection, name: &TableName, key: &Column) -> Result<()> {
    let sql = format!("SELECT 1 FROM {} WHERE {} IS NULL", physical(name), quote(&key.name));
    if conn.prepare(&sql).and_then(|mut statement| statement.exists([])).map_err(convert)? {
        let message = format!("column \"{}\" of relation \"{}\" contains null values", key.name, name.name);
        return Err(Error::new(ErrorKind::Constraint, "23502", message));
    }
    Ok(())
}

/// Why a unique index can't be made.
pub(super) fn repeated(index: &str, error: rusqlite::Error) -> Error {
    match error.sqlite_error().map(|native| native.extended_code) {
        Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => duplicated(index),
        _ => convert(error),
    }
}

fn duplicated(index: &str) -> Error {
    let message = format!("could not create unique index \"{index}\"");
    Error::new(ErrorKind::Constraint, "23505", message)
}

/// Checks that every row refers to rows that exist.
///
/// # Errors
/// 23503 with the foreign key of the first that does not.
pub(crate) fn references(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let mut statement = conn.prepare("PRAGMA foreign_key_check").map_err(convert)?;
    let mut rows = statement.query([]).map_err(convert)?;
    let Some(row) = rows.next().map_err(convert)? else { return Ok(()) };
    let (called, parent): (String, String) = (row.get(0).map_err(convert)?, row.get(2).map_err(convert)?);
    let number: i64 = row.get(3).map_err(convert)?;
    let number = usize::try_from(number).unwrap_or_default();
    let (table, key) = match file(catalog, &called) {
        // SQLite counts foreign keys from the last one.
        Some((name, table)) => (name.name.as_str(), table.foreign_keys.iter().rev().nth(number)),
        None => (called.as_str(), None),
    };
    let row: Option<i64> = row.get(1).map_err(convert)?;
    let constraint = key.map_or(parent.as_str(), |key| key.name.as_str());
    let message =
        format!("insert or update on table \"{table}\" violates foreign key constraint \"{constraint}\"");
    let error = Error::new(ErrorKind::Constraint, "23503", message);
    let details = match (file(catalog, &called), key, row) {
        (Some((_, table)), Some(key), Some(row)) => missed(conn, table, &called, key, row)?,
        _ => return Err(error),
    };
    Err(error.with_details(details))
}

/// The key that a row misses.
fn missed(conn: &Connection, table: &Table, called: &str, key: &ForeignKey, row: i64) -> Result<String> {
    let columns: Vec<_> = key.columns.iter().map(|column| quote(column)).collect();
    let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", columns.join(", "), quote(called));
    let texts = |row: &rusqlite::Row<'_>| -> rusqlite::Result<Vec<rusqlite::types::Value>> {
        (0..columns.len()).map(|at| row.get(at)).collect()
    };
    let cells = conn.query_row(&sql, [row], texts).map_err(convert)?;
    let mut values = Vec::new();
    for (cell, column) in cells.iter().zip(&key.columns) {
        let ty = table.column(column).map_or(Type::Text, |column| column.ty.clone());
        let value = crate::storage::value(cell.into(), &ty)?;
        values.push(value.to_text_as(&ty).unwrap_or_default());
    }
    Ok(format!(
        "Key ({})=({}) is not present in table \"{}\".",
        key.columns.join(", "),
        values.join(", "),
        key.references.name
    ))
}
