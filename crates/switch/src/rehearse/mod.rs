//! Trying a switch on a few rows of every table, and leaving nothing behind.

mod objects;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{Describe, Migrations, Prepare, Scan, TableName};

use self::objects::{Files, try_files};
use crate::copy::{arriving, first_refused, is_of_rows};
use crate::hash::key_hash;
use crate::shared::Shared;
use crate::verify::named;
use crate::{Plan, Side};

/// Rows of each table that are tried.
const SAMPLE: usize = 2_000;

/// Longest text of a value that is shown.
const SHOWN: usize = 60;

/// What trying a switch showed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rehearsal {
    /// What the switch would do, and what is in its way; with problems, nothing was tried.
    pub plan: Plan,
    /// Rows that were copied for it, and removed again.
    pub rows: u64,
    /// Bytes of all rows in their canonical form, estimated.
    pub bytes: u64,
    /// Rows copied a second.
    pub copied_per_second: f64,
    /// Rows of both sides compared a second.
    pub verified_per_second: f64,
    /// Files that were copied for it, and removed again.
    #[serde(default)]
    pub files: u64,
    /// Seconds that copying and comparing all rows and files would take at this rate.
    pub seconds: f64,
    /// Columns whose values the target gives back otherwise than it got them: they would differ
    /// there, and after the way back.
    pub altered: Vec<Altered>,
    /// Rows that the target refuses, the first of each table: a switch would end there.
    #[serde(default)]
    pub refused: Vec<RefusedRow>,
}

/// A row that the target refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedRow {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub row: String,
    /// Why, in words.
    pub reason: String,
}

/// A column that the target does not keep exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Altered {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// Rows of the sample in which it differs.
    pub rows: u64,
    /// A value that was sent.
    pub sent: String,
    /// What came back for it.
    pub received: String,
}

/// What was measured so far.
#[derive(Default)]
struct Measured {
    rows: u64,
    bytes: u64,
    copying: Duration,
    comparing: Duration,
    altered: Vec<Altered>,
    refused: Vec<RefusedRow>,
    files: Files,
}

/// Copies some rows of every table to a target that is empty, reads them back, and removes them.
///
/// # Errors
/// When a side does not answer, or the target holds rows already.
pub(crate) async fn rehearse(shared: &Shared, source: &Side, target: &Side, plan: Plan) -> Result<Rehearsal> {
    let mut measured = Measured::default();
    if plan.problems.is_empty() {
        let claim = shared.claim(target).await?;
        // What a rehearsal that broke off left behind.
        claim.prepare(Prepare::Discard).await?;
        let migrations = source.database.send(Migrations).await?;
        let tried = match claim.prepare(Prepare::Begin { migrations }).await {
            Ok(()) => try_all(source, target, &plan, &mut measured).await,
            Err(error) => Err(error),
        };
        claim.prepare(Prepare::Discard).await?;
        tried?;
    }
    Ok(measured.for_all(plan))
}

async fn try_all(source: &Side, target: &Side, plan: &Plan, measured: &mut Measured) -> Result<()> {
    let catalog = source.database.send(Describe::default()).await?;
    for table in &plan.tables {
        let Some(key) = catalog.table(table).map(|table| &table.primary_key) else { continue };
        let scan = Scan::new(table.clone(), None, SAMPLE);
        let began = Instant::now();
        let sent = source.database.send(scan.clone()).await?.rows;
        let read = began.elapsed();
        let put = |rows| arrive(target, table, rows).boxed();
        if let Err(error) = put(sent.clone()).await {
            if !is_of_rows(&error) {
                return Err(error);
            }
            let (row, why) = first_refused(sent, &put).await.ok_or(error)?;
            let (row, reason) = (named(key, &row), why.message().to_owned());
            measured.refused.push(RefusedRow { table: table.clone(), row, reason });
            continue;
        }
        measured.copying += began.elapsed();
        let began = Instant::now();
        let received = target.database.send(scan).await?.rows;
        measured.note(table, key, &sent, &received);
        measured.comparing += read + began.elapsed();
    }
    measured.files = try_files(source, target).await?;
    Ok(())
}

async fn arrive(target: &Side, table: &TableName, rows: Vec<Row>) -> Result<()> {
    target.database.send(arriving("rehearsal", table, rows)).await.map(drop)
}

impl Measured {
    /// Takes in one table's sample.
    fn note(&mut self, table: &TableName, key: &[String], sent: &[Row], received: &[Row]) {
        let received: HashMap<_, _> = received.iter().map(|row| (key_hash(key, row), row)).collect();
        let mut altered: HashMap<&str, Altered> = HashMap::new();
        for row in sent {
            self.rows += 1;
            let copy = received.get(&key_hash(key, row));
            for (column, value) in row.columns.iter().zip(&row.values) {
                let bytes = canonical(value);
                self.bytes += bytes.len() as u64;
                let back = copy.and_then(|copy| copy.get(column));
                if back.map(canonical).as_ref() == Some(&bytes) {
                    continue;
                }
                let first = || Altered {
                    table: table.clone(),
                    column: column.clone(),
                    rows: 0,
                    sent: shown(value),
                    received: back.map_or_else(|| "nothing".to_owned(), shown),
                };
                altered.entry(column).or_insert_with(first).rows += 1;
            }
        }
        let mut altered: Vec<_> = altered.into_values().collect();
        altered.sort_by(|left, right| left.column.cmp(&right.column));
        self.altered.extend(altered);
    }

    fn for_all(self, plan: Plan) -> Rehearsal {
        let rate = |time: Duration| if time.is_zero() { 0.0 } else { self.rows as f64 / time.as_secs_f64() };
        let (copied, verified) = (rate(self.copying), rate(self.comparing));
        let all = plan.rows as f64;
        let seconds = |rate: f64| if rate > 0.0 { all / rate } else { 0.0 };
        let each = if self.rows == 0 { 0.0 } else { self.bytes as f64 / self.rows as f64 };
        Rehearsal {
            rows: self.rows,
            bytes: (each * all) as u64,
            copied_per_second: copied,
            verified_per_second: verified,
            files: self.files.count,
            seconds: seconds(copied) + seconds(verified) + self.files.seconds(plan.object_bytes),
            altered: self.altered,
            refused: self.refused,
            plan,
        }
    }
}

fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.write_canonical(&mut bytes);
    bytes
}

fn shown(value: &Value) -> String {
    let text = value.to_text().unwrap_or_else(|| "null".to_owned());
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_column_that_comes_back_otherwise_is_named() {
        let row = |id, at| Row {
            columns: Arc::from(["id".to_owned(), "at".to_owned()]),
            values: vec![Value::Int(id), Value::Timestamptz(at)],
        };
        let table = TableName::new("public", "events");
        let mut measured = Measured::default();
        let sent = [row(1, 1_000), row(2, 1_001), row(3, 2_002)];
        let received = [row(3, 2_000), row(1, 1_000), row(2, 1_000)];
        measured.note(&table, &["id".to_owned()], &sent, &received);
        let [altered] = &measured.altered[..] else { panic!("{:?}", measured.altered) };
        assert_eq!((altered.column.as_str(), altered.rows), ("at", 2));
        assert_ne!(altered.sent, altered.received);
    }
}
