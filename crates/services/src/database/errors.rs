//! Errors that every provider words alike: PostgREST's, and PostgreSQL's of what a request wrote.

use truststream_kernel::{Error, ErrorKind, Result, Type};

use super::{Column, Identity, Table, TableName, misspelt};

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

/// Refuses an offset beyond the total of a counted query.
///
/// # Errors
/// PGRST103
pub fn satisfiable(offset: u64, total: Option<u64>) -> Result<()> {
    match total {
        Some(total) if offset > total => {
            let message = "Requested range not satisfiable";
            let details = format!("An offset of {offset} was requested, but there are only {total} rows.");
            Err(Error::new(ErrorKind::InvalidInput, "PGRST103", message).with_details(details))
        }
        _ => Ok(()),
    }
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

/// A column that a query names, and the table does not have; the hint names those that may be meant.
pub fn no_column(name: &TableName, table: &Table, column: &str) -> Error {
    let message = format!("column {}.{column} does not exist", name.name);
    let error = Error::new(ErrorKind::InvalidInput, "42703", message);
    let meant: Vec<String> = misspelt::meant(column, table.columns.iter().map(|known| known.name.as_str()))
        .iter()
        .map(|known| format!("the column \"{}.{known}\"", name.name))
        .collect();
    match meant.is_empty() {
        true => error,
        false => error.with_hint(format!("Perhaps you meant to reference {}.", meant.join(" or "))),
    }
}

/// Two embeds of rows of `table` that are called the same, so deep in a query.
pub fn embedded_twice(table: &TableName, name: &str, depth: usize) -> Error {
    let message = format!("table name \"{}_{name}_{depth}\" specified more than once", table.name);
    Error::new(ErrorKind::InvalidInput, "42712", message)
        .with_hint(format!("Give one of the embeds a name of its own: other:{name}(...)"))
}

/// Columns that decide whether a row exists, and of which the table has none such, or has no key.
pub fn no_conflict_key(table: &Table, columns: &[String]) -> Error {
    match columns.iter().find(|column| table.column(column).is_none()) {
        Some(column) => {
            Error::new(ErrorKind::InvalidInput, "42703", format!("column \"{column}\" does not exist"))
        }
        None => {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            Error::new(ErrorKind::InvalidInput, "42P10", message)
        }
    }
}

/// No value in a column of a new row that must have one.
pub fn null_value(table: &TableName, column: &str) -> Error {
    let message = format!(
        "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
        table.name
    );
    Error::new(ErrorKind::Constraint, "23502", message)
}

/// A new row that does not meet a check of the table, or of the partition, that it is in.
pub fn check_violated(relation: &TableName, check: &str) -> Error {
    let message = format!("new row for relation \"{}\" violates check constraint \"{check}\"", relation.name);
    Error::new(ErrorKind::Constraint, "23514", message)
}

/// An operator that there is not between two types.
pub fn no_operator(left: &str, sign: &str, right: &str) -> Error {
    let message = format!("operator does not exist: {left} {sign} {right}");
    Error::new(ErrorKind::InvalidInput, "42883", message).with_hint(
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    )
}

/// A column that groups of rows are shown or ordered by, and that neither groups them nor is aggregated.
pub fn ungrouped(relation: &str, column: &str) -> Error {
    let message = format!(
        "column \"{relation}.{column}\" must appear in the GROUP BY clause or be used in an aggregate function"
    );
    Error::new(ErrorKind::InvalidInput, "42803", message)
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
    let Some(why) = given_itself(column) else { return Ok(()) };
    let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    let error = Error::new(ErrorKind::InvalidInput, "428C9", message).with_details(why);
    Err(match column.generated {
        Some(_) => error,
        None => error.with_hint("Use OVERRIDING SYSTEM VALUE to override."),
    })
}

/// Refuses a new value for a column that the database gives one itself.
///
/// # Errors
/// 428C9
pub fn refuse_changed(column: &Column) -> Result<()> {
    let Some(why) = given_itself(column) else { return Ok(()) };
    let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
    Err(Error::new(ErrorKind::InvalidInput, "428C9", message).with_details(why))
}

/// Why nobody but the database gives a column its values, if so.
fn given_itself(column: &Column) -> Option<String> {
    let why = match column.generated {
        Some(_) => "is a generated column.",
        None if column.identity == Some(Identity::Always) => {
            "is an identity column defined as GENERATED ALWAYS."
        }
        None => return None,
    };
    Some(format!("Column \"{}\" {why}", column.name))
}

/// An upsert that names one row twice.
pub fn upserted_twice() -> Error {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    Error::new(ErrorKind::InvalidInput, "21000", message).with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
