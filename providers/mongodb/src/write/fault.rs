//! What a violation means, in PostgreSQL's words.

use mongodb::bson::{Bson, Document};
use mongodb::error::{Error as Native, ErrorKind as NativeKind};
use truststream_kernel::{Error, ErrorKind};
use truststream_services::database::{Column, ForeignKey, Table};

use super::Named;
use super::divided::{key_name, relation};
use crate::error::{DUPLICATE_KEY, code, convert, text};
use crate::names::field;
use crate::storage;

/// A stored value as errors show it.
pub(crate) fn shown(stored: &Bson, column: &Column) -> String {
    /// As much of a value as an error shows.
    const LONGEST: usize = 64;

    let value = storage::value(stored, &column.ty).ok();
    let mut text = value.and_then(|value| value.to_text_as(&column.ty)).unwrap_or_else(|| "null".to_owned());
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// The row that failed, as the details of an error.
pub(super) fn failing_row(table: &Table, row: &Document) -> String {
    let texts: Vec<String> = table
        .columns
        .iter()
        .map(|column| shown(row.get(field(&column.name)).unwrap_or(&Bson::Null), column))
        .collect();
    format!("Failing row contains ({}).", texts.join(", "))
}

/// The values of some columns of a row.
pub(super) fn texts(table: &Table, columns: &[String], row: &Document) -> String {
    let texts = columns.iter().filter_map(|name| {
        let column = table.column(name)?;
        Some(shown(row.get(field(name)).unwrap_or(&Bson::Null), column))
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// The error of a failed write of these rows.
pub(super) fn explain(named: Named<'_>, error: Native, rows: &[Document]) -> Error {
    if code(&error) != Some(DUPLICATE_KEY) {
        return convert(error);
    }
    let at = match error.kind.as_ref() {
        NativeKind::InsertMany(many) => {
            many.write_errors.as_ref().and_then(|errors| errors.first()).map(|first| first.index)
        }
        _ => None,
    };
    let message = text(&error).unwrap_or_default().to_owned();
    duplicate(named, &message, rows.get(at.unwrap_or(0)))
}

/// A unique key that exists already, from the server's text.
pub(super) fn duplicate(named: Named<'_>, text: &str, row: Option<&Document>) -> Error {
    let (name, table) = named;
    let index = text.split_once("index: ").and_then(|(_, rest)| rest.split_once(" dup key"));
    let index = index.map_or("_id_", |(index, _)| index);
    let (constraint, columns) = if index == "_id_" {
        (format!("{}_pkey", name.name), table.primary_key.clone())
    } else {
        let key = table.unique_keys.iter().find(|key| key.name == index).map(|key| key.columns.clone());
        let terms = || table.indexes.iter().find(|one| one.name == index).map(|one| one.terms.clone());
        (index.to_owned(), key.or_else(terms).unwrap_or_default())
    };
    let constraint = key_name(named, row, constraint, &columns);
    let message = format!("duplicate key value violates unique constraint \"{constraint}\"");
    let error = Error::new(ErrorKind::AlreadyExists, "23505", message);
    match row {
        Some(row) if !columns.is_empty() => error.with_details(format!(
            "Key ({})=({}) already exists.",
            columns.join(", "),
            texts(table, &columns, row)
        )),
        _ => error,
    }
}

/// A row that refers to none.
pub(super) fn no_parent((name, table): Named<'_>, key: &ForeignKey, row: &Document) -> Error {
    let name = relation((name, table), row).unwrap_or(name);
    let message = format!(
        "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
        name.name, key.name
    );
    let details = format!(
        "Key ({})=({}) is not present in table \"{}\".",
        key.columns.join(", "),
        texts(table, &key.columns, row),
        key.references.name
    );
    Error::new(ErrorKind::Constraint, "23503", message).with_details(details)
}

/// A row that others refer to still.
pub(super) fn still_referenced(
    (name, table): Named<'_>,
    child: &truststream_services::database::TableName,
    key: &ForeignKey,
    row: &Document,
) -> Error {
    let message = format!(
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        name.name, key.name, child.name
    );
    let details = format!(
        "Key ({})=({}) is still referenced from table \"{}\".",
        key.referenced_columns.join(", "),
        texts(table, &key.referenced_columns, row),
        child.name
    );
    Error::new(ErrorKind::Constraint, "23503", message).with_details(details)
}
