//! Comparing both sides row by row while the application goes on writing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use truststream_kernel::{Error, ErrorKind, Result, Row, Value};
use truststream_services::database::{Apply, Change, ChangeKind, Mark, Scan, TableName};

use crate::copy::{arriving, count_rows, key_values};
use crate::digest::{RowDigest, RowHash, Sums, Which, key_hash};
use crate::follow::{Follower, Watched};
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

/// A comparison of two sides, the second of which the follower, if there is one, keeps in sync.
pub(crate) struct Comparison<'a> {
    pub(crate) source: Side,
    pub(crate) target: Side,
    pub(crate) keys: HashMap<TableName, Vec<String>>,
    pub(crate) follower: Option<&'a mut Follower>,
    pub(crate) options: &'a Options,
    pub(crate) meter: &'a Meter,
    pub(crate) signal: &'a Signal,
    /// Changes that were applied meanwhile.
    pub(crate) changes: u64,
    /// What was read of the source, where nobody follows it.
    pub(crate) unfollowed: Option<Watched>,
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
        let keys = follower.keys().clone();
        Comparison { follower: Some(follower), ..Comparison::between(sides, keys, options, meter, signal) }
    }

    /// Of two sides that nothing keeps in sync.
    pub(crate) fn between(
        (source, target): (Side, Side),
        keys: HashMap<TableName, Vec<String>>,
        options: &'a Options,
        meter: &'a Meter,
        signal: &'a Signal,
    ) -> Self {
        let (follower, changes, unfollowed) = (None, 0, None);
        Comparison { source, target, keys, follower, options, meter, signal, changes, unfollowed }
    }

    /// Compares every row of `tables` and returns what was compared.
    ///
    /// # Errors
    /// `BACKEND_009` naming rows that differ, after looking again and, if asked for, repair.
    pub(crate) async fn run(&mut self, tables: &[TableName]) -> Result<Vec<TableReport>> {
        let mut reports = Vec::new();
        let mut differing = Vec::new();
        for table in tables {
            let (report, different) = self.table(table).await?;
            reports.push(report);
            differing.extend(different);
        }
        if differing.is_empty() {
            return Ok(reports);
        }
        let message = format!("the two sides differ in {}", differing.join("; "));
        Err(Error::new(ErrorKind::Conflict, "BACKEND_009", message)
            .with_hint("look for programs that write to the target directly, then start the switch anew"))
    }

    /// One table, in sums first: the source is read chunk by chunk while it changes, then the
    /// changes since are applied, then the target, which only the follower writes, stands still and
    /// is read. Where the sums of a bucket differ or a row of it has changed meanwhile, its rows are
    /// looked at one by one.
    async fn table(&mut self, table: &TableName) -> Result<(TableReport, Option<String>)> {
        self.catch_up().await?;
        let sample = self.options.verify == Verify::Sample;
        let rows = count_rows(&self.source, std::slice::from_ref(table)).await?;
        let (key, meter, name) = (self.keys[table].clone(), self.meter, table.to_string());
        let put = |sums: &mut Sums, which: Which, rows: &[Row]| {
            rows.iter().for_each(|row| sums.put(which, &key, row));
            meter.rows(&name, rows.len() as u64);
        };
        let mut sums = Sums::new(rows, sample);
        self.read(Which::Source, table, |rows| put(&mut sums, Which::Source, rows)).await?;
        self.watch(Watched::Touched { table: table.clone(), sums });
        self.catch_up().await?;
        let Some(Watched::Touched { mut sums, .. }) = self.unwatch() else { return Err(forgotten()) };
        self.read(Which::Target, table, |rows| put(&mut sums, Which::Target, rows)).await?;
        let suspects = sums.suspects();
        let at_once = usize::try_from(AT_ONCE / sums.in_bucket(rows)).unwrap_or(1).max(1);
        let mut different = Vec::new();
        for group in suspects.chunks(at_once) {
            different.extend(self.rows(table, &mut sums, group).await?);
        }
        let different = match different.is_empty() {
            true => None,
            false => Some(self.name(table, &different).await?),
        };
        let report = TableReport {
            table: table.clone(),
            rows: sums.rows,
            source: sums.checksum(Which::Source),
            target: sums.checksum(Which::Target),
        };
        Ok((report, different))
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
        let key = self.keys[table].clone();
        let mut digest = sums.rows_of(buckets);
        self.read(Which::Source, table, |rows| rows.iter().for_each(|row| digest.put(&key, row))).await?;
        self.watch(Watched::Rows { table: table.clone(), digest });
        self.catch_up().await?;
        let Some(Watched::Rows { digest: source, .. }) = self.unwatch() else { return Err(forgotten()) };
        let mut target = sums.rows_of(buckets);
        self.read(Which::Target, table, |rows| rows.iter().for_each(|row| target.put(&key, row))).await?;
        Ok((source, target))
    }

    fn side(&self, which: Which) -> &Side {
        if which == Which::Source { &self.source } else { &self.target }
    }

    async fn read(&self, which: Which, table: &TableName, mut take: impl FnMut(&[Row])) -> Result<()> {
        let mut after = None;
        loop {
            self.signal.check()?;
            let scan = Scan { table: table.clone(), after: after.take(), limit: self.options.chunk };
            let rows = self.side(which).database.send(scan).await?.rows;
            take(&rows);
            match rows.last() {
                Some(last) if rows.len() == self.options.chunk => {
                    after = Some(key_values(&self.keys[table], last));
                }
                _ => return Ok(()),
            }
        }
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
        rows_by(self.side(which), table, &self.keys[table], keys, self.options.chunk).await
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
    async fn make_equal(&self, table: &TableName, different: &[RowHash]) -> Result<()> {
        let keys: HashSet<_> = different.iter().copied().collect();
        let key = &self.keys[table];
        let rows = self.rows_by(Which::Source, table, &keys).await?;
        let there: HashSet<_> = rows.iter().map(|row| key_hash(key, row)).collect();
        let extra = self.rows_by(Which::Target, table, &keys).await?;
        let extra = extra.into_iter().filter(|row| !there.contains(&key_hash(key, row)));
        let origin =
            self.follower.as_ref().map_or_else(|| "repair".to_owned(), |follower| follower.repairs());
        let changes = extra.map(|row| gone(table, row)).collect();
        let repair = Apply { changes, ..arriving(&origin, table, rows) };
        self.target.database.send(repair).await.map(drop)
    }
}

/// The rows of these keys, read in chunks of so many.
pub(crate) async fn rows_by(
    side: &Side,
    table: &TableName,
    key: &[String],
    keys: &HashSet<RowHash>,
    chunk: usize,
) -> Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let scan = Scan { table: table.clone(), after: after.take(), limit: chunk };
        let rows = side.database.send(scan).await?.rows;
        found.extend(rows.iter().filter(|row| keys.contains(&key_hash(key, row))).cloned());
        match rows.last() {
            Some(last) if rows.len() == chunk => after = Some(key_values(key, last)),
            _ => return Ok(found),
        }
    }
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
