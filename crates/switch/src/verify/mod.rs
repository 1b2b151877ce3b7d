//! Comparing both sides row by row, and file by file, while the application goes on writing.

mod objects;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::future::try_join;
use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Apply, Change, ChangeKind, Mark, TableName};

use crate::chunks::{Chunks, key_values};
use crate::copy::count_rows;
use crate::digest::{RowDigest, SideSums, Sums, Touched};
use crate::follow::{Follower, Watched};
use crate::hash::{Hasher, RowHash, key_hash};
use crate::left_out::RowsOf;
use crate::objects::{arrived, comparable, makes_rows, objects_table, rearranged};
use crate::progress::Meter;
use crate::record::TableReport;
use crate::signal::Signal;
use crate::{Options, Side, Verify};

/// Most rows that are looked at one by one at once.
const AT_ONCE: u64 = 500_000;

/// How often rows that differ are looked at again before they are said to.
const LOOKS: u32 = 3;

/// How long a look waits for the one before.
const BETWEEN: Duration = Duration::from_millis(300);

/// Rows that are named when they differ.
const NAMED: usize = 5;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Source,
    Target,
}

/// A comparison of two sides, the second of which the follower, if there is one, keeps in sync.
pub(crate) struct Comparison<'a> {
    pub(crate) source: Side,
    pub(crate) target: Side,
    pub(crate) keys: HashMap<TableName, Vec<String>>,
    pub(crate) follower: Option<&'a mut Follower>,
    /// The rows that are compared, if not all.
    only: Option<RowsOf>,
    pub(crate) options: &'a Options,
    pub(crate) meter: &'a Meter,
    pub(crate) signal: &'a Signal,
    /// Changes that were applied meanwhile.
    pub(crate) changes: u64,
    /// What was read of the source, where nobody follows it.
    unfollowed: Option<Watched>,
    /// Tables that differ, and in which rows.
    differing: Vec<String>,
}

impl<'a> Comparison<'a> {
    /// Of a follower's sides.
    pub(crate) fn of(
        follower: &'a mut Follower,
        options: &'a Options,
        meter: &'a Meter,
        signal: &'a Signal,
    ) -> Self {
        let sides = (follower.source.clone(), follower.target.clone());
        let (keys, only) = (follower.keys().clone(), follower.only.clone());
        let comparison = Comparison::between(sides, keys, options, meter, signal);
        Comparison { follower: Some(follower), only, ..comparison }
    }

    /// Of two sides that nothing keeps in sync.
    pub(crate) fn between(
        (source, target): (Side, Side),
        keys: HashMap<TableName, Vec<String>>,
        options: &'a Options,
        meter: &'a Meter,
        signal: &'a Signal,
    ) -> Self {
        let (follower, only, changes, unfollowed, differing) = (None, None, 0, None, Vec::new());
        Comparison {
            source,
            target,
            keys,
            follower,
            only,
            options,
            meter,
            signal,
            changes,
            unfollowed,
            differing,
        }
    }

    /// Compares every row of `tables` and returns what was compared.
    ///
    /// # Errors
    /// `BACKEND_009` naming rows that differ, after looking again and, if asked for, repair.
    pub(crate) async fn run(&mut self, tables: &[TableName]) -> Result<Vec<TableReport>> {
        let mut reports = Vec::new();
        for table in tables {
            reports.push(self.table(table).await?);
        }
        self.outcome()?;
        Ok(reports)
    }

    /// # Errors
    /// `BACKEND_009` naming the rows that differed, if any did.
    pub(crate) fn outcome(&self) -> Result<()> {
        if self.differing.is_empty() {
            return Ok(());
        }
        let message = format!("the two sides differ in {}", self.differing.join("; "));
        Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
            .with_hint("look for programs that write to the target directly, then start the switch anew"))
    }

    /// One table, in sums first. Once all changes are applied both sides are read at the same time:
    /// the source while it changes, the target, which only the follower writes, as it stands still.
    /// Then the changes made meanwhile are applied and taken down. Where they can't explain that two
    /// sums differ, the rows are looked at one by one.
    pub(crate) async fn table(&mut self, table: &TableName) -> Result<TableReport> {
        let rows = count_rows(&self.source, std::slice::from_ref(table)).await?;
        self.catch_up().await?;
        let mut sums = Sums::new(rows, self.options.verify == Verify::Sample);
        let Sums { source, target } = &mut sums;
        try_join(self.sum(Which::Source, table, source), self.sum(Which::Target, table, target)).await?;
        self.watch(Watched::Touched { table: table.clone(), touched: Touched::default() });
        self.catch_up().await?;
        let Some(Watched::Touched { touched, .. }) = self.unwatch() else { return Err(forgotten()) };
        let suspects = sums.suspects(&touched);
        let at_once = usize::try_from(AT_ONCE / sums.in_bucket(rows)).unwrap_or(1).max(1);
        let mut different = Vec::new();
        for group in suspects.chunks(at_once) {
            different.extend(self.rows(table, &mut sums, group).await?);
        }
        if !different.is_empty() {
            let named = self.name(table, &different).await?;
            self.differing.push(named);
        }
        let objects = if *table == objects_table() { self.objects().await? } else { None };
        Ok(TableReport {
            objects,
            table: table.clone(),
            rows: sums.target.rows,
            source: sums.source.checksum(),
            target: sums.target.checksum(),
        })
    }

    async fn sum(&self, which: Which, table: &TableName, sums: &mut SideSums) -> Result<()> {
        let (mut hasher, name) = (Hasher::new(&self.keys[table]), table.to_string());
        let mut chunks = self.chunks(which, table);
        while let Some(chunk) = chunks.next().await? {
            let compared = chunk.rows.iter().filter(|row| self.is_compared(table, row));
            compared.for_each(|row| sums.put(&mut hasher, &self.comparable(table, row)));
            self.meter.rows(&name, chunk.rows.len() as u64);
            // The other side's turn: hashing leaves no gap for it.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Looks at some buckets row by row, again where rows differ; returns the keys of those that
    /// still do.
    async fn rows(&mut self, table: &TableName, sums: &mut Sums, buckets: &[usize]) -> Result<Vec<RowHash>> {
        let mut buckets = buckets.to_vec();
        for look in 1.. {
            let (source, target) = self.look(table, sums, &buckets).await?;
            sums.settle(&buckets, &source, &target);
            let different = source.differences(&target);
            if different.is_empty() || look == LOOKS {
                return Ok(different);
            }
            buckets = source.buckets_of(&different);
            if self.options.repair && look + 1 == LOOKS {
                self.make_equal(table, &different).await?;
            }
            self.signal.sleep(BETWEEN).await;
        }
        Ok(Vec::new())
    }

    /// What is read of the source is brought to one moment by the very changes that follow: they
    /// are put into its digest as they are applied to the target.
    async fn look(
        &mut self,
        table: &TableName,
        sums: &Sums,
        buckets: &[usize],
    ) -> Result<(RowDigest, RowDigest)> {
        self.catch_up().await?;
        let mut digest = sums.rows_of(buckets);
        self.look_at(Which::Source, table, &mut digest).await?;
        self.watch(Watched::Rows { table: table.clone(), digest });
        self.catch_up().await?;
        let Some(Watched::Rows { digest: source, .. }) = self.unwatch() else { return Err(forgotten()) };
        let mut target = sums.rows_of(buckets);
        self.look_at(Which::Target, table, &mut target).await?;
        Ok((source, target))
    }

    async fn look_at(&self, which: Which, table: &TableName, digest: &mut RowDigest) -> Result<()> {
        let mut hasher = Hasher::new(&self.keys[table]);
        let mut chunks = self.chunks(which, table);
        while let Some(chunk) = chunks.next().await? {
            let compared = chunk.rows.iter().filter(|row| self.is_compared(table, row));
            compared.for_each(|row| digest.put(&mut hasher, &self.comparable(table, row)));
        }
        Ok(())
    }

    fn is_compared(&self, table: &TableName, row: &Row) -> bool {
        self.only.as_ref().is_none_or(|only| only.has(table, row))
    }

    fn comparable<'r>(&self, table: &TableName, row: &'r Row) -> Cow<'r, Row> {
        comparable((&self.source, &self.target), table, row)
    }

    fn side(&self, which: Which) -> &Side {
        if which == Which::Source { &self.source } else { &self.target }
    }

    fn chunks(&self, which: Which, table: &TableName) -> Chunks {
        Chunks::all(self.side(which), table, &self.keys[table], self.options, self.signal)
    }

    async fn catch_up(&mut self) -> Result<()> {
        if let Some(follower) = &mut self.follower {
            self.changes += follower.catch_up().await?;
        }
        Ok(())
    }

    fn watch(&mut self, watched: Watched) {
        match &mut self.follower {
            Some(follower) => follower.watched = Some(watched),
            None => self.unfollowed = Some(watched),
        }
    }

    fn unwatch(&mut self) -> Option<Watched> {
        match &mut self.follower {
            Some(follower) => follower.watched.take(),
            None => self.unfollowed.take(),
        }
    }

    /// The rows of these keys.
    async fn rows_by(&self, which: Which, table: &TableName, keys: &HashSet<RowHash>) -> Result<Vec<Row>> {
        rows_of(self.chunks(which, table), &self.keys[table], keys).await
    }

    /// Says which rows differ.
    async fn name(&self, table: &TableName, different: &[RowHash]) -> Result<String> {
        let keys = different.iter().copied().collect();
        let source = self.rows_by(Which::Source, table, &keys).await?;
        let target = self.rows_by(Which::Target, table, &keys).await?;
        let key = &self.keys[table];
        let mut names: Vec<_> = source.iter().chain(&target).map(|row| named(key, row)).collect();
        names.sort();
        names.dedup();
        let more = if names.len() > NAMED { ", …" } else { "" };
        names.truncate(NAMED);
        Ok(format!("{table}: {} rows ({}{more})", different.len(), names.join(", ")))
    }

    /// Makes the target's rows of these keys what the source's are. Changes that are applied later
    /// are whole rows, so it does no harm where a row has just changed.
    async fn make_equal(&mut self, table: &TableName, different: &[RowHash]) -> Result<()> {
        let keys: HashSet<_> = different.iter().copied().collect();
        let key = &self.keys[table];
        let rows = self.rows_by(Which::Source, table, &keys).await?;
        let there: HashSet<_> = rows.iter().map(|row| key_hash(key, row)).collect();
        let extra = self.rows_by(Which::Target, table, &keys).await?;
        let extra = extra.into_iter().filter(|row| !there.contains(&key_hash(key, row)));
        let changes = extra.map(|row| gone(table, row));
        if *table == objects_table() && makes_rows(&self.source, &self.target) {
            let changes = changes.chain(rows.into_iter().map(arrived)).collect();
            let changes = rearranged(&self.source, &self.target, changes).await?;
            return self.make(Vec::new(), changes).await;
        }
        let changes = changes.collect();
        self.make(vec![(table.clone(), rows)], changes).await
    }

    /// Makes rows of the target others, where the stream stands if there is one.
    async fn make(&mut self, rows: Vec<(TableName, Vec<Row>)>, changes: Vec<Change>) -> Result<()> {
        match &mut self.follower {
            Some(follower) => follower.repair(rows, changes).await,
            None => {
                let (origin, expected, position) = ("repair".to_owned(), None, None);
                self.target.database.send(Apply { origin, expected, position, rows, changes }).await.map(drop)
            }
        }
    }
}

/// The rows of these keys.
pub(crate) async fn rows_by(
    side: &Side,
    table: &TableName,
    key: &[String],
    keys: &HashSet<RowHash>,
    options: &Options,
) -> Result<Vec<Row>> {
    let (_wish, signal) = Signal::new();
    rows_of(Chunks::all(side, table, key, options, &signal), key, keys).await
}

async fn rows_of(mut chunks: Chunks, key: &[String], keys: &HashSet<RowHash>) -> Result<Vec<Row>> {
    let (mut hasher, mut found) = (Hasher::new(key), Vec::new());
    while let Some(chunk) = chunks.next().await? {
        found.extend(chunk.rows.into_iter().filter(|row| keys.contains(&hasher.key(row))));
    }
    Ok(found)
}

/// The change that a row is not there.
pub(crate) fn gone(table: &TableName, row: Row) -> Change {
    Change {
        mark: Mark::default(),
        table: table.clone(),
        kind: ChangeKind::Delete,
        old: Some(row),
        new: None,
        origin: None,
        made_at: 0,
    }
}

pub(crate) fn named(key: &[String], row: &Row) -> String {
    let text = |value: Value| value.to_text().unwrap_or_else(|| "null".to_owned());
    let parts =
        key.iter().zip(key_values(key, row)).map(|(column, value)| format!("{column}={}", text(value)));
    parts.collect::<Vec<_>>().join(" ")
}

fn forgotten() -> Error {
    Error::internal("a comparison lost what it had read")
}
