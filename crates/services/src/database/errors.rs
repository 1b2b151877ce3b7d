//! Errors that every provider words alike: PostgREST's, and PostgreSQL's of what a request wrote.

use truststream_kernel::{Error, ErrorKind, Result, Type};

use super::{Column, Identity, TableName};

/// A filter on, or an order by, what is not embedded.
pub fn not_embedded(name: &str) -> Error {
    let message = format!("'{name}' is not an embedded resource in this request");
    Error::new(ErrorKind::InvalidInput, "PGRST108", message)
        .with_hint(format!("Verify that '{name}' is included in the 'select' query parameter."))
}

/// An order of rows of `table` by an embed of several rows each.
pub fn not_to_one(table: &TableName, embed: &str) -> Error {
    let message = format!("A related order on '{embed}' is not possible");
    Error::new(ErrorKind::InvalidInput, "PGRST118", message).with_details(format!(
        "'{}' and '{embed}' do not form a many-to-one or one-to-one relationship",
        table.name
    ))
}

/// A reply that was wanted as one object, of so many rows.
pub fn not_one(rows: u64) -> Error {
    let message = "Cannot coerce the result to a single JSON object";
    Error::new(ErrorKind::InvalidInput, "PGRST116", message)
        .with_details(format!("The result contains {rows} rows"))
}

/// A write of so many rows, more than were to be affected.
pub fn too_many_affected(rows: u64) -> Error {
    let message = "Query result exceeds max-affected preference constraint";
    Error::new(ErrorKind::InvalidInput, "PGRST124", message)
        .with_details(format!("The query affects {rows} rows"))
}

/// A column that a body or a list of columns names, and the table does not have.
pub fn unknown_column(table: &TableName, column: &str) -> Error {
    let message = format!("Could not find the '{column}' column of '{}' in the schema cache", table.name);
    Error::new(ErrorKind::InvalidInput, "PGRST204", message)
}

/// A column that a query names, and the table does not have.
pub fn no_column(table: &TableName, column: &str) -> Error {
    let message = format!("column {}.{column} does not exist", table.name);
    Error::new(ErrorKind::InvalidInput, "42703", message)
}

/// An aggregate that there is not of a type.
pub fn no_aggregate(name: &str, ty: &Type) -> Error {
    Error::new(ErrorKind::InvalidInput, "42883", format!("function {name}({ty}) does not exist")).with_hint(
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// Refuses a value for a column of a new row that the database gives one itself.
///
/// # Errors
/// 428C9
pub fn refuse_given(column: &Column) -> Result<()> {
    let why = match column.generated {
        Some(_) => "is a generated column.",
        None if column.identity == Some(Identity::Always) => {
            "is an identity column defined as GENERATED ALWAYS."
        }
        None => return Ok(()),
    };
    let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    Err(Error::new(ErrorKind::InvalidInput, "428C9", message)
        .with_details(format!("Column \"{}\" {why}", column.name)))
}

/// Refuses a new value for a column that is computed.
///
/// # Errors
/// 428C9
pub fn refuse_changed(column: &Column) -> Result<()> {
    if column.generated.is_none() {
        return Ok(());
    }
    let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
    Err(Error::new(ErrorKind::InvalidInput, "428C9", message))
}

/// An upsert that names one row twice.
pub fn upserted_twice() -> Error {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    Error::new(ErrorKind::InvalidInput, "21000", message).with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
