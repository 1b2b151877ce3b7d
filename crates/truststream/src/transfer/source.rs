//! Reading rows from a stream, each as a JSON object with the line it begins on.

use csv_async::{AsyncReader, AsyncReaderBuilder, StringRecord, Trim};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use truststream_kernel::{Error, ErrorKind, Result, Type};
use truststream_services::database::{Catalog, Table, TableName};

use super::records::Records;
use super::{NULL, RowFormat};

/// What some programs begin a file of UTF-8 with.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where rows go, as their fields are read for.
#[derive(Clone, Copy)]
pub(super) struct Target<'t> {
    pub(super) catalog: &'t Catalog,
    pub(super) name: &'t TableName,
}

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
    Csv { reader: Box<AsyncReader<Records<R>>>, header: StringRecord, target: Target<'t> },
    Ndjson { reader: Box<BufReader<R>>, line: u64 },
}

impl<'t, R: AsyncRead + Unpin + Send> Source<'t, R> {
    pub(super) async fn open(format: RowFormat, reader: R, target: Target<'t>) -> Result<Self> {
        if format == RowFormat::Ndjson {
            return Ok(Source::Ndjson { reader: Box::new(BufReader::new(reader)), line: 0 });
        }
        let mut reader = AsyncReaderBuilder::new().trim(Trim::Headers).create_reader(Records::of(reader));
        let header = reader.headers().await.cloned();
        let line = reader.get_mut().next_line();
        let header = header.map_err(|error| malformed(&error, line))?;
        target.check(&header)?;
        Ok(Source::Csv { reader: Box::new(reader), header, target })
    }

    /// The next row; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<SourceRow>> {
        match self {
            Source::Csv { reader, header, target } => {
                let mut record = StringRecord::new();
                let read = reader.read_record(&mut record).await;
                let line = reader.get_mut().next_line();
                if !read.map_err(|error| malformed(&error, line))? {
                    return Ok(None);
                }
                if let Some(line) = reader.get_ref().unclosed() {
                    return Err(Error::invalid_input(format!(
                        "line {line}: a field's quotes are not closed"
                    )));
                }
                let cells = header.iter().zip(&record);
                let cells = cells.map(|(name, text)| Ok((name.to_owned(), target.cell(name, text)?)));
                Ok(Some(SourceRow { line, cells: cells.collect::<Result<_>>()? }))
            }
            Source::Ndjson { reader, line } => loop {
                let mut bytes = Vec::new();
                if reader.read_until(b'\n', &mut bytes).await.map_err(unreadable)? == 0 {
                    return Ok(None);
                }
                *line += 1;
                let text = bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| *line == 1).unwrap_or(&bytes);
                if !text.trim_ascii().is_empty() {
                    return Ok(Some(SourceRow { line: *line, cells: object(text, *line)? }));
                }
            },
        }
    }
}

/// A line of NDJSON.
fn object(line: &[u8], number: u64) -> Result<Vec<(String, Box<RawValue>)>> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Error::invalid_input(format!("line {number}: the text is not UTF-8")).with_source(error)
    })?;
    let cells: indexmap::IndexMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(|error| {
        let message = format!("line {number}, character {}: not a JSON object", error.column().max(1));
        let error = Error::invalid_input(message).with_source(error);
        match text.trim_start().starts_with('[') {
            true => error.with_hint("NDJSON has an object a line, and no list around them"),
            false => error,
        }
    })?;
    Ok(cells.into_iter().collect())
}

impl Target<'_> {
    fn table(&self) -> Option<&Table> {
        self.catalog.table(self.name)
    }

    /// Refuses a header that names what is no column, or one column twice.
    fn check(&self, header: &StringRecord) -> Result<()> {
        let Some(table) = self.table() else { return Ok(()) };
        for (index, name) in header.iter().enumerate() {
            if table.column(name).is_none() {
                let message = format!("line 1: {} has no column \"{name}\"", self.name);
                let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
                return Err(Error::new(ErrorKind::InvalidInput, "PGRST204", message)
                    .with_hint(format!("the first line names columns, which are {}", columns.join(", "))));
            }
            if header.iter().take(index).any(|other| other == name) {
                return Err(Error::invalid_input(format!("line 1: column \"{name}\" is there twice")));
            }
        }
        Ok(())
    }

    /// A field of a CSV record as JSON: documents, arrays and objects as such, all else as a text.
    fn cell(&self, column: &str, text: &str) -> Result<Box<RawValue>> {
        if text == NULL {
            return raw(&Json::Null);
        }
        let nested = match self.table().and_then(|table| table.column(column)).map(|column| &column.ty) {
            Some(Type::Json | Type::Jsonb) => true,
            Some(Type::Array(_)) => text.starts_with('['),
            Some(Type::Other(name)) => text.starts_with('{') && self.is_composite(name),
            _ => false,
        };
        match nested.then(|| RawValue::from_string(text.to_owned())) {
            Some(Ok(json)) => Ok(json),
            _ => raw(&Json::from(text)),
        }
    }

    fn is_composite(&self, type_name: &str) -> bool {
        let type_name = type_name.replace('"', "");
        let (schema, name) = type_name.split_once('.').unwrap_or(("public", &type_name));
        self.catalog.composites.contains_key(&TableName::new(schema, name))
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

fn raw(value: &Json) -> Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
        .map_err(|error| Error::internal("a field can't be written as JSON").with_source(error))
}

fn malformed(error: &csv_async::Error, line: u64) -> Error {
    Error::invalid_input(match error.kind() {
        csv_async::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: {len} fields, where the first line names {expected_len} columns")
        }
        csv_async::ErrorKind::Utf8 { .. } => format!("line {line}: the text is not UTF-8"),
        csv_async::ErrorKind::Io(error) => format!("the file can't be read: {error}"),
        _ => format!("line {line}: the CSV is malformed: {error}"),
    })
}

fn unreadable(error: std::io::Error) -> Error {
    Error::invalid_input(format!("the file can't be read: {error}")).with_source(error)
}
