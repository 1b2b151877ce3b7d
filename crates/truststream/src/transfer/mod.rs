//! Rows from files and into files, as streams: memory does not grow with the file.

mod export;
mod import;
mod locate;
mod records;
mod source;

pub use import::{Import, Imported};

/// Null in CSV, as PostgREST has it.
const NULL: &str = "NULL";

/// How rows are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    /// Comma-separated with a header line; `NULL` is null, everything else is text that the column's
    /// type reads. Arrays and documents are JSON.
    Csv,
    /// A JSON object a line.
    Ndjson,
}
