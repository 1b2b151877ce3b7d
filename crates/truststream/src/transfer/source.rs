//! Reading rows from a stream, each as a JSON object with the line it begins on.

use csv_async::{AsyncReader, AsyncReaderBuilder, StringRecord, Trim};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use truststream_kernel::{Error, Result, Type};
use truststream_services::database::Table;

use super::RowFormat;

/// A row that was read.
#[derive(Clone, Debug)]
pub(super) struct SourceRow {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// Its columns, and their values as JSON.
    pub(super) cells: Vec<(String, Box<RawValue>)>,
}

/// Rows of a stream.
pub(super) enum Source<'t, R> {
    Csv { reader: Box<AsyncReader<R>>, header: StringRecord, table: Option<&'t Table> },
    Ndjson { lines: Box<Lines<BufReader<R>>>, line: u64 },
}

impl<'t, R: AsyncRead + Unpin + Send> Source<'t, R> {
    pub(super) async fn open(format: RowFormat, reader: R, table: Option<&'t Table>) -> Result<Self> {
        if format == RowFormat::Ndjson {
            return Ok(Source::Ndjson { lines: Box::new(BufReader::new(reader).lines()), line: 0 });
        }
        let mut reader = AsyncReaderBuilder::new().trim(Trim::Headers).create_reader(reader);
        let header = reader.headers().await.map_err(|error| malformed(&error, 1))?.clone();
        Ok(Source::Csv { reader: Box::new(reader), header, table })
    }

    /// The next row; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<SourceRow>> {
        match self {
            Source::Csv { reader, header, table } => {
                let mut record = StringRecord::new();
                let line = reader.position().line();
                if !reader.read_record(&mut record).await.map_err(|error| malformed(&error, line))? {
                    return Ok(None);
                }
                let line = record.position().map_or(line, csv_async::Position::line);
                let cells = header.iter().zip(&record);
                let cells = cells.map(|(name, text)| Ok((name.to_owned(), cell(*table, name, text)?)));
                Ok(Some(SourceRow { line, cells: cells.collect::<Result<_>>()? }))
            }
            Source::Ndjson { lines, line } => loop {
                let Some(text) = lines.next_line().await.map_err(unreadable)? else { return Ok(None) };
                *line += 1;
                if !text.trim().is_empty() {
                    let object: indexmap::IndexMap<String, Box<RawValue>> = serde_json::from_str(&text)
                        .map_err(|error| {
                            let column = error.column();
                            let message = format!("line {line}, character {column}: not a JSON object");
                            Error::invalid_input(message).with_source(error)
                        })?;
                    return Ok(Some(SourceRow { line: *line, cells: object.into_iter().collect() }));
                }
            },
        }
    }
}

impl SourceRow {
    /// The rows as one JSON array, and all columns that occur in them.
    pub(super) fn document(rows: &[SourceRow]) -> (String, Vec<String>) {
        let mut columns = indexmap::IndexSet::new();
        let mut document = String::from("[");
        for (index, row) in rows.iter().enumerate() {
            document.push_str(if index == 0 { "{" } else { ",{" });
            for (index, (name, value)) in row.cells.iter().enumerate() {
                if index > 0 {
                    document.push(',');
                }
                document.push_str(&Json::from(name.as_str()).to_string());
                document.push(':');
                document.push_str(value.get());
                columns.insert(name.clone());
            }
            document.push('}');
        }
        document.push(']');
        (document, columns.into_iter().collect())
    }
}

/// A field of a CSV record as JSON: documents and arrays as such, all else as a text.
fn cell(table: Option<&Table>, column: &str, text: &str) -> Result<Box<RawValue>> {
    if text == "NULL" {
        return raw(&Json::Null);
    }
    let ty = table.and_then(|table| table.column(column)).map(|column| &column.ty);
    let nested = match ty {
        Some(Type::Json | Type::Jsonb) => true,
        Some(Type::Array(_)) => text.starts_with('['),
        _ => false,
    };
    match nested.then(|| RawValue::from_string(text.to_owned())) {
        Some(Ok(json)) => Ok(json),
        _ => raw(&Json::from(text)),
    }
}

fn raw(value: &Json) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| Error::internal("a field can't be written as JSON").with_source(error))
}

fn malformed(error: &csv_async::Error, line: u64) -> Error {
    let line = error.position().map_or(line, csv_async::Position::line);
    Error::invalid_input(format!("line {line}: the CSV is malformed: {error}"))
}

fn unreadable(error: std::io::Error) -> Error {
    Error::invalid_input(format!("the file can't be read: {error}")).with_source(error)
}
