//! Rows from what the engine gave, with errors that name the column.

mod row;

use serde::de::DeserializeOwned;
use truststream_kernel::value::Rows;
use truststream_kernel::{Error, Result};
use truststream_services::database::Page;

/// The rows of a page.
pub(crate) fn rows<T: DeserializeOwned>(page: &Page) -> Result<Vec<T>> {
    let Some(values) = &page.values else { return decode(&page.body) };
    let mut rows = Vec::with_capacity(values.len());
    for row in row::rows(values) {
        match T::deserialize(row) {
            Ok(row) => rows.push(row),
            Err(_) => return by_json(values),
        }
    }
    Ok(rows)
}

/// The only row of a page that has one.
pub(crate) fn one<T: DeserializeOwned>(page: &Page) -> Result<T> {
    let Some(values) = &page.values else { return decode(&page.body) };
    let row = row::rows(values).next().ok_or_else(|| Error::internal("a page of one row has none"))?;
    T::deserialize(row).or_else(|_| {
        let rows = values.to_json();
        decode(&rows.as_bytes()[1..rows.len() - 1])
    })
}

/// A type that values don't fit is read from the JSON they stand for: it tells what is wrong, and
/// some types can only be read from JSON.
#[cold]
fn by_json<T: DeserializeOwned>(values: &Rows) -> Result<Vec<T>> {
    decode(values.to_json().as_bytes())
}

/// Reads a value out of the engine's JSON.
pub(crate) fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| explain::<T>(json, error))
}

/// Reads again, this time noting where: only a failure pays for it.
#[cold]
fn explain<T: DeserializeOwned>(json: &[u8], error: serde_json::Error) -> Error {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let place = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(located) => located.path().to_string(),
        Ok(_) => String::from("."),
    };
    let message = match place.rsplit_once("].").map_or(place.as_str(), |(_, column)| column) {
        "" | "." => format!("the reply does not fit the type it is read into: {error}"),
        column => format!("column `{column}` does not fit the type it is read into: {error}"),
    };
    Error::invalid_input(message)
        .with_details(format!("at {place}"))
        .with_hint("nullable columns need Option<…>; numeric and int8 may exceed what a field can hold")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::decode;

    #[derive(Debug, Deserialize)]
    struct Track {
        #[allow(dead_code)]
        title: String,
    }

    #[test]
    fn errors_name_the_column() {
        let error = decode::<Vec<Track>>(br#"[{"title":"a"},{"title":null}]"#).unwrap_err();
        assert!(error.message().starts_with("column `title` does not fit"), "{error}");
        assert_eq!(error.details().and_then(|details| details.as_str()), Some("at [1].title"));
    }
}
