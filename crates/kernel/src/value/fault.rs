//! The errors of reading values, in PostgreSQL's words.

use std::fmt::Display;

use crate::{Error, ErrorKind};

/// `invalid input syntax for type …`: SQLSTATE 22P02, or 22007 for dates and times.
pub(super) fn syntax(type_name: &str, text: &str) -> Error {
    let code = match type_name {
        "date" | "time" | "interval" => "22007",
        name if name.starts_with("timestamp") => "22007",
        _ => "22P02",
    };
    Error::new(
        ErrorKind::InvalidInput,
        code,
        format!("invalid input syntax for type {type_name}: \"{text}\""),
    )
}

/// A number beyond its type: SQLSTATE 22003.
pub(super) fn number_out_of_range(message: impl Display) -> Error {
    Error::new(ErrorKind::InvalidInput, "22003", message.to_string())
}

/// A date or time field beyond its limits: SQLSTATE 22008.
pub(super) fn field_out_of_range(text: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22008", format!("date/time field value out of range: \"{text}\""))
}

/// A date or time beyond its type: SQLSTATE 22008.
pub(super) fn datetime_out_of_range(type_name: &str, text: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22008", format!("{type_name} out of range: \"{text}\""))
}

/// A text longer than its type allows: SQLSTATE 22001.
pub(super) fn too_long(type_name: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "22001", format!("value too long for type {type_name}"))
}

/// Another malformed text, with what exactly is wrong: SQLSTATE 22P02.
pub(super) fn malformed(message: impl Into<String>, details: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "22P02", message.into()).with_details(details.into())
}
