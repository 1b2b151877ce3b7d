//! A backend that was lost comes back, and follows the one that took its place.
//!
//! What it acknowledged after the last position that the mirror held is in its own feed. That is what
//! was lost: it is counted and handed out, then its rows are made what they are on the side that
//! serves, and everything written there since is applied.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use truststream_kernel::{Result, Row};
use truststream_services::database::{Apply, Capture, Change, Changes, Describe, TableName};

use super::failover::next_consumer;
use super::lost::collapse;
use super::{Failover, Mirrors};
use crate::ambient::now_ms;
use crate::chunks::key_values;
use crate::forward::keys;
use crate::hash::key_hash;
use crate::verify::{gone, named, rows_by};
use crate::{Phase, Record, Side};

/// Changes read at once.
const BATCH: usize = 2000;

/// Rows that are named.
const NAMED: usize = 100;

/// What was found on a backend that was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Changes that only it held.
    pub changes: u64,
    /// The rows they concern, at most a hundred: table and key.
    pub rows: Vec<String>,
}

impl Mirrors {
    /// The failover by which `owner` came to serve in this reign, unless what was lost has its mirror
    /// already.
    pub(super) async fn failover_to(&self, owner: &str, reign: u64) -> Result<Option<Failover>> {
        let latest = self.failovers().await?.pop();
        Ok(latest.filter(|latest| latest.report.to == owner && latest.reign == reign))
    }

    /// The record of the mirror that brings a lost backend back, which stands where the one that
    /// serves opened.
    pub(super) async fn take_back(
        &self,
        mut failover: Failover,
        source: &Side,
        target: &Side,
    ) -> Result<Record> {
        let former = &failover.mirror;
        let mut record =
            Record::new(former.id + 1, &failover.report.to, &failover.report.from, former.options.clone());
        record.mirror = true;
        record.tables = former.tables.clone();
        record.feed_start = Some(failover.start.clone());
        record.enter(Phase::Following);
        let lost = lost_changes(&failover, target).await?;
        let catalog = source.database.send(Describe { fresh: true }).await?;
        let keys = keys(&catalog, &record.tables);
        if failover.report.returned.is_none() {
            let returned = tell(&lost, &keys);
            tracing::warn!(
                backend = failover.report.from,
                changes = returned.changes,
                rows = returned.rows.join(", "),
                "a backend that was lost is back; what only it held"
            );
            // Before they are undone: kept until somebody decides about them.
            self.keep_lost(failover.report.id, &collapse(&lost, &keys)).await?;
            failover.report.returned = Some(returned);
            self.store(&failover).await?;
        }
        undo(&record, &lost, &keys, source, target).await?;
        let stop = Capture { consumer: former.consumer(), tables: Vec::new() };
        target.database.send(stop).await?;
        debug_assert_eq!(record.consumer(), next_consumer(former));
        Ok(record)
    }
}

/// What the lost backend's feed holds beyond what the mirror had. What was undone before carries the
/// mirror's name and does not count.
async fn lost_changes(failover: &Failover, target: &Side) -> Result<Vec<Change>> {
    let mut lost = Vec::new();
    let mut at = failover.end.clone();
    loop {
        let ask = Changes { after: Some(at), limit: BATCH, wait: Duration::ZERO };
        let batch = target.database.send(ask).await?;
        let own = |change: &Change| change.origin.is_none() && failover.mirror.tables.contains(&change.table);
        lost.extend(batch.changes.into_iter().filter(own));
        at = batch.position;
        if batch.at_end {
            return Ok(lost);
        }
    }
}

fn tell(lost: &[Change], keys: &HashMap<TableName, Vec<String>>) -> Returned {
    let mut rows: Vec<_> = lost
        .iter()
        .filter_map(|change| {
            let row = change.new.as_ref().or(change.old.as_ref())?;
            Some(format!("{} {}", change.table, named(keys.get(&change.table)?, row)))
        })
        .collect();
    rows.sort();
    rows.dedup();
    rows.truncate(NAMED);
    Returned { at_ms: now_ms(), changes: lost.len() as u64, rows }
}

/// Makes the rows that were changed what they are on the side that serves. What is written there
/// meanwhile comes again with its feed.
async fn undo(
    record: &Record,
    lost: &[Change],
    keys: &HashMap<TableName, Vec<String>>,
    source: &Side,
    target: &Side,
) -> Result<()> {
    for (table, key) in keys {
        let changed = lost.iter().filter(|change| change.table == *table);
        let old: Vec<&Row> = changed.flat_map(|change| change.old.iter().chain(&change.new)).collect();
        if old.is_empty() {
            continue;
        }
        let wanted: HashSet<_> = old.iter().map(|row| key_hash(key, row)).collect();
        let rows = rows_by(source, table, key, &wanted, &record.options).await?;
        let there: HashSet<_> = rows.iter().map(|row| key_hash(key, row)).collect();
        let mut seen = HashSet::new();
        let extra = old.into_iter().filter(|row| {
            let hash = key_hash(key, row);
            !there.contains(&hash) && seen.insert(hash)
        });
        let changes = extra.map(|row| gone(table, key_row(key, row))).collect();
        let undo = Apply {
            origin: format!("{}/undo", record.consumer()),
            expected: None,
            position: None,
            rows: if rows.is_empty() { Vec::new() } else { vec![(table.clone(), rows)] },
            changes,
        };
        target.database.send(undo).await?;
    }
    Ok(())
}

/// A row of which only the key is certain.
fn key_row(key: &[String], row: &Row) -> Row {
    Row { columns: key.into(), values: key_values(key, row) }
}

#[cfg(test)]
mod tests {
    use truststream_kernel::Value;
    use truststream_services::database::{ChangeKind, Mark};

    use super::*;

    #[test]
    fn what_was_lost_is_told_by_its_keys() {
        let table = TableName::new("public", "tracks");
        let row =
            |id: i64| -> Row { Row { columns: ["id".to_owned()].into(), values: vec![Value::Int(id)] } };
        let change = |kind, old: Option<i64>, new: Option<i64>| Change {
            mark: Mark::default(),
            table: table.clone(),
            kind,
            old: old.map(row),
            new: new.map(row),
            origin: None,
            made_at: 0,
        };
        let lost = [
            change(ChangeKind::Insert, None, Some(7)),
            change(ChangeKind::Update, Some(7), Some(7)),
            change(ChangeKind::Delete, Some(3), None),
        ];
        let keys = HashMap::from([(table.clone(), vec!["id".to_owned()])]);
        let told = tell(&lost, &keys);
        assert_eq!((told.changes, told.rows), (3, vec![format!("{table} id=3"), format!("{table} id=7")]));
    }
}
