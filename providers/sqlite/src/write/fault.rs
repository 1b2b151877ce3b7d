//! What a constraint violation means, in PostgreSQL's words.

mod divided;

use rusqlite::types::Value as Cell;
use rusqlite::{ffi, params_from_iter};
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, ForeignKey, Table, TableName, errors};
use truststream_sql::quote::quote;
use truststream_sql::schema::{domain_violated, row_number};

use super::{Write, list};
use crate::ddl::existing;
use crate::error::convert;
use crate::schema::{physical, physical_name};
use crate::storage;

use divided::Place;

type Given<'g> = [(&'g Column, &'g Value)];

/// The error of a failed write of `given` values into `table`, by its own name or that of a partition;
/// `targets` are the rows it was about.
pub(crate) fn explain(
    write: &Write<'_>,
    error: rusqlite::Error,
    named: (&TableName, &Table),
    given: &Given<'_>,
    targets: &[i64],
) -> Error {
    explained(write, error, named, Some((given, targets)))
}

/// The error of a failed statement on rows that only the engine saw: what they hold is not told.
pub(crate) fn explain_unseen(
    write: &Write<'_>,
    error: rusqlite::Error,
    named: (&TableName, &Table),
) -> Error {
    explained(write, error, named, None)
}

fn explained(
    write: &Write<'_>,
    error: rusqlite::Error,
    (named, table): (&TableName, &Table),
    seen: Option<(&Given<'_>, &[i64])>,
) -> Error {
    let (given, targets) = seen.unwrap_or_default();
    let Some(native) = error.sqlite_error() else { return convert(error) };
    let text = error.to_string();
    let subject = text.split_once("failed: ").map_or("", |(_, subject)| subject);
    if !matches!(native.code, ffi::ErrorCode::ConstraintViolation | ffi::ErrorCode::TypeMismatch) {
        return convert(error);
    }
    let partition = write.schema.catalog.partition(named);
    let name = partition.map_or(named, |(name, _)| name);
    let part = match divided::place(write, (name, table), given, targets) {
        Place::Nowhere(divided) => return divided::in_none(write, (name, table), &divided, given, targets),
        Place::In(part) => Some(part),
        Place::Unknown => partition.filter(|(_, one)| one.partitioning.is_none()).map(|_| named.clone()),
    };
    let relation = part.as_ref().unwrap_or(name);
    let told = |error: Error| match seen {
        Some(_) => failing(write, (name, table), given, targets, error),
        None => error,
    };
    match native.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            unique((name, part.as_ref()), table, given, subject)
        }
        ffi::SQLITE_CONSTRAINT_NOTNULL => told(errors::null_value(relation, column_of(name, subject))),
        // To SQLite null is of a wrong type for a row id.
        ffi::SQLITE_MISMATCH => match row_number(&write.schema.catalog, name, table) {
            Some(key) => told(errors::null_value(relation, &key.name)),
            None => convert(error),
        },
        ffi::SQLITE_CONSTRAINT_CHECK => match existing::divided(&write.schema.catalog, subject) {
            Some(divided) => divided::in_none(write, (name, table), divided, given, targets),
            None => domain_violated(&write.schema.catalog, table, subject)
                .unwrap_or_else(|| told(errors::check_violated(relation, subject))),
        },
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            foreign_key(write, (name, table, &relation.name), given, targets)
                .unwrap_or_else(|_| convert(error))
        }
        _ => convert(error),
    }
}

/// `table.column` without the table.
fn column_of<'t>(name: &TableName, subject: &'t str) -> &'t str {
    subject.strip_prefix(&format!("{}.", physical_name(name))).unwrap_or(subject)
}

fn unique(
    (name, part): (&TableName, Option<&TableName>),
    table: &Table,
    given: &Given<'_>,
    subject: &str,
) -> Error {
    let columns: Vec<&str> = subject.split(", ").map(|column| column_of(name, column)).collect();
    let same = |key: &[String]| key.iter().map(String::as_str).eq(columns.iter().copied());
    let constraint =
        if let Some(index) = subject.strip_prefix("index '").and_then(|index| index.strip_suffix('\'')) {
            index.strip_prefix(&format!("{}.", name.schema)).unwrap_or(index).to_owned()
        } else if same(&table.primary_key) {
            table.primary_key_name(name)
        } else if let Some(key) = table.unique_keys.iter().find(|key| same(&key.columns)) {
            key.name.clone()
        } else {
            let named = table.indexes.iter().find(|index| index.unique && same(&index.terms));
            named.map_or_else(|| columns.join("_"), |index| index.name.clone())
        };
    let constraint = match part {
        Some(part) => divided::key(part, same(&table.primary_key), &columns),
        None => constraint,
    };
    let message = format!("duplicate key value violates unique constraint \"{constraint}\"");
    let error = Error::new(ErrorKind::AlreadyExists, "23505", message);
    match texts(&columns, given) {
        Some(values) => {
            error.with_details(format!("Key ({})=({values}) already exists.", columns.join(", ")))
        }
        None => error,
    }
}

/// The given values of columns, if all of them are known.
fn texts(columns: &[&str], given: &Given<'_>) -> Option<String> {
    let texts: Option<Vec<String>> = columns
        .iter()
        .map(|name| {
            let (column, value) = given.iter().find(|(column, _)| column.name == *name)?;
            Some(shown(value, column))
        })
        .collect();
    texts.map(|texts| texts.join(", "))
}

fn shown(value: &Value, column: &Column) -> String {
    clipped(value.to_text_as(&column.ty))
}

/// As much of a value as an error shows.
fn clipped(text: Option<String>) -> String {
    const LONGEST: usize = 64;

    let mut text = text.unwrap_or_else(|| "null".to_owned());
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// The error of a row that is not in the partition it was to be written to by name; its cells as texts, or
/// none where they are not known.
pub(crate) fn outside(partition: &str, cells: Vec<Option<String>>) -> Error {
    let message = format!("new row for relation \"{partition}\" violates partition constraint");
    let error = Error::new(ErrorKind::Constraint, "23514", message);
    if cells.is_empty() {
        return error;
    }
    let texts: Vec<String> = cells.into_iter().map(clipped).collect();
    error.with_details(format!("Failing row contains ({}).", texts.join(", ")))
}

/// Adds the row that failed.
pub(super) fn failing(
    write: &Write<'_>,
    (name, table): (&TableName, &Table),
    given: &Given<'_>,
    targets: &[i64],
    error: Error,
) -> Error {
    let text = |column| write.value_of(name, column, given, targets).map(|value| shown(&value, column));
    let texts: Result<Vec<String>> = table.columns.iter().map(text).collect();
    match texts {
        Ok(texts) if targets.len() < 2 => {
            error.with_details(format!("Failing row contains ({}).", texts.join(", ")))
        }
        _ => error,
    }
}

impl Write<'_> {
    /// A column's default, as SQLite's SQL.
    pub(super) fn default(&self, name: &TableName, column: &Column) -> Result<String> {
        let sql = "SELECT dflt_value FROM pragma_table_info(?1) WHERE name = ?2";
        let found: Option<String> = self
            .conn
            .sql
            .prepare_cached(sql)
            .and_then(|mut statement| {
                statement.query_row([physical_name(name), column.name.clone()], |row| row.get(0))
            })
            .map_err(convert)?;
        Ok(found.unwrap_or_else(|| "NULL".to_owned()))
    }

    /// The value of a column in a row that could not be written.
    fn value_of(
        &self,
        name: &TableName,
        column: &Column,
        given: &Given<'_>,
        targets: &[i64],
    ) -> Result<Value> {
        if let Some((_, value)) = given.iter().find(|(one, _)| one.name == column.name) {
            return Ok((*value).clone());
        }
        match targets {
            [] => self.default_value(name, column),
            [id] => self.present_value(name, column, *id),
            _ => Ok(Value::Null),
        }
    }

    fn default_value(&self, name: &TableName, column: &Column) -> Result<Value> {
        // The number that the row was given, not one more.
        let sql = format!("SELECT {}", self.default(name, column)?.replacen("ts_nextval(", "ts_currval(", 1));
        self.one(&sql, [], column)
    }

    fn present_value(&self, name: &TableName, column: &Column, id: i64) -> Result<Value> {
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?", quote(&column.name), physical(name));
        self.one(&sql, [id], column)
    }

    /// The value of a column that a statement finds.
    pub(super) fn one<P: rusqlite::Params>(
        &self,
        sql: &str,
        parameters: P,
        column: &Column,
    ) -> Result<Value> {
        let cell: Cell = self.conn.sql.query_row(sql, parameters, |row| row.get(0)).map_err(convert)?;
        storage::value((&cell).into(), &column.ty)
    }
}

fn foreign_key(
    write: &Write<'_>,
    (name, table, shown): (&TableName, &Table, &str),
    given: &Given<'_>,
    targets: &[i64],
) -> Result<Error> {
    for key in &table.foreign_keys {
        if let Some(error) = missing_parent(write, shown, key, given)? {
            return Ok(error);
        }
    }
    for (child, other) in &write.schema.catalog.tables {
        for key in other.foreign_keys.iter().filter(|key| key.references == *name) {
            if let Some(error) = kept_child(write, name, (child, key), targets)? {
                return Ok(error);
            }
        }
    }
    let message = format!("insert or update on table \"{shown}\" violates a foreign key constraint");
    Ok(Error::new(ErrorKind::Constraint, "23503", message))
}

fn missing_parent(
    write: &Write<'_>,
    shown: &str,
    key: &ForeignKey,
    given: &Given<'_>,
) -> Result<Option<Error>> {
    let mut cells = Vec::new();
    for column in &key.columns {
        match given.iter().find(|(one, _)| one.name == *column) {
            None | Some((_, Value::Null)) => return Ok(None),
            Some((_, value)) => cells.push(storage::cell(value)?),
        }
    }
    let tests: Vec<String> =
        key.referenced_columns.iter().map(|column| format!("{} = ?", quote(column))).collect();
    let sql = format!("SELECT 1 FROM {} WHERE {}", physical(&key.references), tests.join(" AND "));
    let exists = write
        .conn
        .sql
        .prepare_cached(&sql)
        .and_then(|mut statement| statement.exists(params_from_iter(&cells)))
        .map_err(convert)?;
    if exists {
        return Ok(None);
    }
    let message =
        format!("insert or update on table \"{shown}\" violates foreign key constraint \"{}\"", key.name);
    let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
    let details = format!(
        "Key ({})=({}) is not present in table \"{}\".",
        columns.join(", "),
        texts(&columns, given).unwrap_or_default(),
        key.references.name
    );
    Ok(Some(Error::new(ErrorKind::Constraint, "23503", message).with_details(details)))
}

fn kept_child(
    write: &Write<'_>,
    name: &TableName,
    (child, key): (&TableName, &ForeignKey),
    targets: &[i64],
) -> Result<Option<Error>> {
    let pairs: Vec<String> = key
        .columns
        .iter()
        .zip(&key.referenced_columns)
        .map(|(column, referenced)| format!("child.{} = parent.{}", quote(column), quote(referenced)))
        .collect();
    let columns: Vec<String> =
        key.referenced_columns.iter().map(|column| format!("parent.{}", quote(column))).collect();
    let sql = format!(
        "SELECT {} FROM {} AS parent JOIN {} AS child ON {} \
         WHERE parent.rowid IN (SELECT value FROM json_each(?)) LIMIT 1",
        columns.join(", "),
        physical(name),
        physical(child),
        pairs.join(" AND ")
    );
    let mut statement = write.conn.sql.prepare_cached(&sql).map_err(convert)?;
    let mut rows = statement.query([list(targets)]).map_err(convert)?;
    let Some(row) = rows.next().map_err(convert)? else { return Ok(None) };
    let table = write.schema.table(name)?;
    let mut values = Vec::new();
    for (index, column) in key.referenced_columns.iter().enumerate() {
        if let Some(column) = table.column(column) {
            let value = storage::value(row.get_ref(index).map_err(convert)?, &column.ty)?;
            values.push(shown(&value, column));
        }
    }
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        name.name, key.name, child.name
    );
    let details = format!(
        "Key ({})=({}) is still referenced from table \"{}\".",
        key.referenced_columns.join(", "),
        values.join(", "),
        child.name
    );
    Ok(Some(Error::new(ErrorKind::Constraint, "23503", message).with_details(details)))
}
