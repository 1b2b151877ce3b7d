//! Which row of many is wrong, and which of its columns.

use truststream_kernel::{Error, Result, Value};
use truststream_services::database::{Database, Insert, Table};

use super::source::SourceRow;

/// How many rows from the first on can be inserted, tried without keeping any. `None` if what failed
/// with all of them does not fail again.
pub(super) async fn good_rows(
    database: &Database,
    rows: &[SourceRow],
    insert: impl Fn(&[SourceRow]) -> Insert,
) -> Result<Option<(usize, Error)>> {
    let (mut good, mut bad) = (0, rows.len());
    let mut last = None;
    while good < bad {
        let middle = good + (bad - good) / 2;
        let mut attempt = insert(&rows[..=middle]);
        attempt.options.transaction.rollback = true;
        match database.send(attempt).await {
            Ok(_) => good = middle + 1,
            Err(error) => {
                bad = middle;
                last = Some(error);
            }
        }
    }
    Ok(last.filter(|_| good < rows.len()).map(|error| (good, error)))
}

/// The error of a row with its line and, where it can be told, its column.
pub(super) fn at_row(error: &Error, row: &SourceRow, table: Option<&Table>) -> Error {
    let place = match column(error, row, table) {
        Some(column) => format!("line {}, column {column}", row.line),
        None => format!("line {}", row.line),
    };
    placed(error, &place)
}

/// The same error, its sentence beginning with a place.
pub(super) fn placed(error: &Error, place: &str) -> Error {
    let message = format!("{place}: {}", error.message());
    let mut placed = Error::new(error.kind(), error.code().to_owned(), message)
        .with_retry(error.retry())
        .with_outcome(error.outcome());
    if let Some(details) = error.details() {
        placed = placed.with_details(details.clone());
    }
    if let Some(hint) = error.hint() {
        placed = placed.with_hint(hint.to_owned());
    }
    placed
}

/// The first column whose value its type does not take.
pub(super) fn unfit<'r>(row: &'r SourceRow, table: Option<&Table>) -> Option<&'r str> {
    let unfit = row.cells.iter().find(|(name, value)| {
        let column = table.and_then(|table| table.column(name));
        column.is_some_and(|column| Value::from_raw_json(&column.ty, value).is_err())
    });
    unfit.map(|(name, _)| name.as_str())
}

/// The first column whose value its type does not take, else the one that the error speaks of.
fn column<'r>(error: &Error, row: &'r SourceRow, table: Option<&Table>) -> Option<&'r str> {
    let names = || row.cells.iter().map(|(name, _)| name.as_str());
    unfit(row, table).or_else(|| {
        let told = error.details().map_or(String::new(), ToString::to_string);
        names().find(|name| {
            error.message().contains(&format!("column \"{name}\"")) || told.contains(&format!("({name})="))
        })
    })
}
