//! Copying the rows that are there, while changes flow.

use truststream_kernel::{Result, Value};
use truststream_services::database::{Apply, Count, Format, Query, Scan, Select, TableName, Transaction};

use crate::digest::TableDigest;
use crate::progress::Meter;
use crate::{Plan, Report, Side};

/// Copies all rows of the plan's tables in key order, chunk by chunk.
///
/// Correct because all copying is done before any change is applied, and changes are applied from a
/// position before the first chunk: a chunk may be newer than the first changes that follow it,
/// but the last change of a key always comes last, and it is a whole row.
pub(crate) async fn copy_rows(
    source: &Side,
    target: &Side,
    plan: &Plan,
    origin: &str,
    chunk: usize,
    meter: &Meter,
    report: &mut Report,
) -> Result<()> {
    for table in &plan.tables {
        let key = &plan.keys[table];
        let mut after = None;
        loop {
            let scan = Scan { table: table.clone(), after: after.take(), limit: chunk };
            let rows = source.database.send(scan).await?.rows;
            let Some(last) = rows.last() else { break };
            let next = key_values(key, last);
            let (count, done) = (rows.len() as u64, rows.len() < chunk);
            report.rows += count;
            report.bytes += rows.iter().map(canonical_size).sum::<u64>();
            target.database.send(arriving(origin, table, rows)).await?;
            meter.rows(&table.to_string(), count);
            if done {
                break;
            }
            after = Some(next);
        }
    }
    Ok(())
}

fn arriving(origin: &str, table: &TableName, rows: Vec<truststream_kernel::Row>) -> Apply {
    Apply {
        origin: origin.to_owned(),
        expected: None,
        position: None,
        rows: vec![(table.clone(), rows)],
        changes: Vec::new(),
    }
}

fn canonical_size(row: &truststream_kernel::Row) -> u64 {
    let mut bytes = Vec::new();
    row.write_canonical(&mut bytes);
    bytes.len() as u64
}

/// The key of a row, to go on from.
fn key_values(key: &[String], row: &truststream_kernel::Row) -> Vec<Value> {
    key.iter().map(|column| row.get(column).cloned().unwrap_or(Value::Null)).collect()
}

/// What a table holds right now, chunk by chunk.
pub(crate) async fn digest_table(
    side: &Side,
    table: &TableName,
    key: &[String],
    chunk: usize,
    meter: &Meter,
) -> Result<TableDigest> {
    let mut digest = TableDigest::default();
    let mut after = None;
    loop {
        let scan = Scan { table: table.clone(), after: after.take(), limit: chunk };
        let rows = side.database.send(scan).await?.rows;
        for row in &rows {
            digest.put(key, row);
        }
        meter.rows(&table.to_string(), rows.len() as u64);
        match rows.last() {
            Some(last) if rows.len() == chunk => after = Some(key_values(key, last)),
            _ => return Ok(digest),
        }
    }
}

/// Rows of all tables, counted.
pub(crate) async fn count_rows(side: &Side, tables: &[TableName]) -> Result<u64> {
    let mut rows = 0;
    for table in tables {
        let count = Select {
            table: table.clone(),
            query: Query { limit: Some(0), ..Query::all() },
            count: Some(Count::Exact),
            format: Format::default(),
            transaction: Transaction::default(),
        };
        rows += side.database.send(count).await?.total.unwrap_or(0);
    }
    Ok(rows)
}
