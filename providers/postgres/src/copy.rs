//! Rows poured into a table by `copy`, several times as fast as `insert` takes them.

use bytes::Bytes;
use futures::SinkExt as _;
use tokio_postgres::Client;
use truststream_kernel::{Result, Row};
use truststream_services::database::{Column, Table, TableName};
use truststream_sql::quote::{qualified, quote};

use crate::error::failed;

/// Inserts rows; one whose key is there fails it.
pub(crate) async fn pour(client: &Client, name: &TableName, table: &Table, rows: &[Row]) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let known = |(index, name): (usize, &String)| Some((index, table.column(name)?));
    let columns: Vec<(usize, &Column)> = first
        .columns
        .iter()
        .enumerate()
        .filter_map(known)
        .filter(|(_, column)| column.generated.is_none())
        .collect();
    let list = columns.iter().map(|(_, column)| quote(&column.name)).collect::<Vec<_>>().join(", ");
    let sql = format!("copy {} ({list}) from stdin", qualified(name));
    let sink = client.copy_in(&sql).await.map_err(failed)?;
    futures::pin_mut!(sink);
    sink.send(Bytes::from(lines(&columns, rows))).await.map_err(failed)?;
    sink.finish().await.map(drop).map_err(failed)
}

/// Rows in the text format of `copy`: a line each, tabs between.
fn lines(columns: &[(usize, &Column)], rows: &[Row]) -> String {
    let (mut out, mut text) = (String::with_capacity(rows.len() * 64), String::new());
    for row in rows {
        for (position, (index, column)) in columns.iter().enumerate() {
            if position > 0 {
                out.push('\t');
            }
            text.clear();
            let is_there =
                row.values.get(*index).is_some_and(|value| value.write_text_as(&column.ty, &mut text));
            if is_there { escape(&text, &mut out) } else { out.push_str("\\N") }
        }
        out.push('\n');
    }
    out
}

fn escape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        out.push_str(match rest.as_bytes()[at] {
            b'\t' => "\\t",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_line_or_a_field_is_escaped() {
        let mut out = String::new();
        escape("a\tb\\N\r\nü", &mut out);
        assert_eq!(out, "a\\tb\\\\N\\r\\nü");
    }
}
