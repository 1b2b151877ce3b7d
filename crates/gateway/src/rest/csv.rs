//! CSV with a header line (RFC 4180) as a JSON array of rows; `NULL` means null, everything else is text
//! for the engine to read by the column's type.

use std::io::{Read, Write};

use csv::{ByteRecord, ReaderBuilder};
use truststream_kernel::{Body, Error, Result};
use truststream_spool::{Spool, failed};

use super::body::invalid;

/// Turns CSV into JSON, row by row.
///
/// # Errors
/// PGRST102 for what is no CSV.
pub(super) fn csv(text: impl Read) -> Result<Body> {
    let mut records = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| records.read_byte_record(record).map_err(unreadable);
    if !next(&mut record)? {
        return Err(invalid("the CSV has no header".to_owned()));
    }
    let header = record.iter().map(key).collect::<Result<Vec<_>>>()?;
    let mut rows = Spool::default();
    let mut opening: &[u8] = b"[";
    while next(&mut record)? {
        if record.len() != header.len() {
            return Err(invalid("All lines must have same number of fields".to_owned()));
        }
        rows.write_all(opening).map_err(failed)?;
        for (index, (key, field)) in header.iter().zip(&record).enumerate() {
            rows.push(if index == 0 { b"{" } else { b"," });
            rows.push(key);
            match field {
                b"NULL" => rows.push(b"null"),
                field => rows.push(&quoted(field)?),
            }
        }
        rows.push(b"}");
        opening = b",";
    }
    rows.push(if opening == b"[" { b"[]" } else { b"]" });
    rows.finish()
}

fn key(name: &[u8]) -> Result<Vec<u8>> {
    let mut key = quoted(name)?;
    key.push(b':');
    Ok(key)
}

fn quoted(field: &[u8]) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(field).map_err(|_| invalid("the CSV is not UTF-8".to_owned()))?;
    serde_json::to_vec(text).map_err(|error| Error::internal("a text is no JSON").with_source(error))
}

fn unreadable(error: csv::Error) -> Error {
    invalid("the CSV can't be read".to_owned()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_becomes_rows_of_texts() {
        let rows = |text: &str| csv(text.as_bytes()).map(|rows| rows.read().unwrap());
        let some = rows("a,b\r\n1,\"x, \"\"y\"\"\"\nNULL,\n\n").unwrap();
        assert_eq!(some, r#"[{"a":"1","b":"x, \"y\""},{"a":null,"b":""}]"#);
        assert_eq!(rows("a,b\n\"1\n2\",é").unwrap(), r#"[{"a":"1\n2","b":"é"}]"#);
        assert_eq!(rows("a,b\n").unwrap(), "[]");
        for text in ["a,b\n1\n", "a\n1,2\n", ""] {
            assert_eq!(rows(text).unwrap_err().code(), "PGRST102", "{text}");
        }
        assert_eq!(csv(&b"a\n\xff\n"[..]).unwrap_err().message(), "the CSV is not UTF-8");
    }
}
