//! Checksums of rows, equal exactly when two engines hold the same values.
//!
//! Rows are assigned to buckets by the hash of their key, so the order in which an engine sorts keys
//! does not matter, and a whole table is a few numbers.

use std::collections::HashMap;

use truststream_kernel::Row;
use truststream_services::database::Change;

use crate::hash::{Hasher, RowHash, key_hash};

/// Rows that one bucket is meant for.
const ROWS_IN_BUCKET: u64 = 32;

/// Most buckets of a table: 48 MB of sums.
const MOST_BUCKETS: u64 = 1 << 20;

/// Most versions of changed rows that are remembered while a table is read: 16 MB.
const MOST_VERSIONS: usize = 200_000;

/// Most ways in which changed rows of one bucket may have been read that are tried.
const MOST_WORLDS: usize = 1 << 16;

/// What stands for a row that is not there.
const ABSENT: RowHash = 0;

/// One bucket in so many is compared in a sample.
const SAMPLE: usize = 16;

/// What one table of both sides holds, as a sum for each bucket.
pub(crate) struct Sums {
    pub(crate) source: SideSums,
    pub(crate) target: SideSums,
}

/// What one table of a side holds.
pub(crate) struct SideSums {
    sums: Vec<RowHash>,
    sample: bool,
    /// Rows that were taken in.
    pub(crate) rows: u64,
}

impl SideSums {
    /// The bucket of a key, unless the sample leaves it out.
    fn bucket(&self, key: RowHash) -> Option<usize> {
        let bucket = bucket_of(key, self.sums.len());
        (!self.sample || bucket.is_multiple_of(SAMPLE)).then_some(bucket)
    }

    /// Takes in a row.
    pub(crate) fn put(&mut self, hasher: &mut Hasher<'_>, row: &Row) {
        let Some(bucket) = self.bucket(hasher.key(row)) else { return };
        self.rows += 1;
        self.sums[bucket] = self.sums[bucket].wrapping_add(hasher.row(row));
    }

    /// Puts the rows that were looked at one by one in place of what a bucket held.
    fn settle(&mut self, buckets: &[usize], digest: &RowDigest) {
        buckets.iter().for_each(|bucket| self.sums[*bucket] = 0);
        for (key, row) in &digest.rows {
            let bucket = bucket_of(*key, self.sums.len());
            self.sums[bucket] = self.sums[bucket].wrapping_add(*row);
        }
    }

    /// One checksum over all rows, whatever their order.
    pub(crate) fn checksum(&self) -> String {
        let sum = self.sums.iter().fold(0u128, |sum, bucket| sum.wrapping_add(*bucket));
        format!("{sum:032x}")
    }
}

impl Sums {
    /// For a table of about so many rows.
    pub(crate) fn new(rows: u64, sample: bool) -> Self {
        let buckets = (rows / ROWS_IN_BUCKET).clamp(1 << 10, MOST_BUCKETS).next_power_of_two();
        let buckets = usize::try_from(buckets).unwrap_or(1 << 10);
        let none = || SideSums { sums: vec![0; buckets], sample, rows: 0 };
        Sums { source: none(), target: none() }
    }

    /// Of so many rows, how many are in one bucket.
    pub(crate) fn in_bucket(&self, rows: u64) -> u64 {
        rows / self.source.sums.len() as u64 + 1
    }

    /// Buckets that have to be looked at row by row: their sums differ otherwise than the rows that
    /// have changed while they were read can explain. Those that differ only so count as what the
    /// target holds.
    pub(crate) fn suspects(&mut self, touched: &Touched) -> Vec<usize> {
        let buckets = self.source.sums.len();
        let mut changed: HashMap<usize, Vec<&[RowHash]>> = HashMap::new();
        for (key, versions) in &touched.versions {
            changed.entry(bucket_of(*key, buckets)).or_default().push(versions);
        }
        let mut suspects = Vec::new();
        for bucket in (0..buckets).filter(|bucket| !self.source.sample || bucket.is_multiple_of(SAMPLE)) {
            let (source, target) = (&mut self.source.sums[bucket], self.target.sums[bucket]);
            let versions = changed.get(&bucket).map_or(&[][..], Vec::as_slice);
            if touched.all || !explains(source.wrapping_sub(target), versions) {
                suspects.push(bucket);
            } else {
                *source = target;
            }
        }
        suspects
    }

    /// Puts what looking row by row gave in place of what these buckets held.
    pub(crate) fn settle(&mut self, buckets: &[usize], source: &RowDigest, target: &RowDigest) {
        self.source.settle(buckets, source);
        self.target.settle(buckets, target);
    }

    /// A digest of these buckets' rows, empty yet.
    pub(crate) fn rows_of(&self, buckets: &[usize]) -> RowDigest {
        let mut chosen = vec![false; self.source.sums.len()];
        for bucket in buckets {
            chosen[*bucket] = true;
        }
        RowDigest { chosen, rows: HashMap::new() }
    }
}

/// What the rows that have changed while both sides were read have been since: the source may have
/// been read with any of these versions, the target, at which nothing was applied meanwhile, with
/// the first.
#[derive(Default)]
pub(crate) struct Touched {
    versions: HashMap<RowHash, Vec<RowHash>>,
    held: usize,
    /// More has changed than is kept in memory: everything has to be looked at.
    all: bool,
}

impl Touched {
    /// Takes in a change.
    pub(crate) fn note(&mut self, key: &[String], change: &Change) {
        let mut hasher = Hasher::new(key);
        let mut hashed = |row: &Option<Row>| row.as_ref().map(|row| (hasher.key(row), hasher.row(row)));
        let (old, new) = (hashed(&change.old), hashed(&change.new));
        match (old, new) {
            (Some((before, old)), Some((after, new))) if before == after => self.push(before, old, new),
            (old, new) => {
                old.into_iter().for_each(|(key, row)| self.push(key, row, ABSENT));
                new.into_iter().for_each(|(key, row)| self.push(key, ABSENT, row));
            }
        }
    }

    fn push(&mut self, key: RowHash, old: RowHash, new: RowHash) {
        self.all |= self.held >= MOST_VERSIONS;
        if !self.all {
            self.held += 1;
            self.versions.entry(key).or_insert_with(|| vec![old]).push(new);
        }
    }
}

/// Whether the sums of two buckets may differ by so much because some rows of the one are other
/// versions than the first.
fn explains(difference: RowHash, rows: &[&[RowHash]]) -> bool {
    let worlds = rows.iter().try_fold(1_usize, |worlds, versions| worlds.checked_mul(versions.len()));
    worlds.is_some_and(|worlds| worlds <= MOST_WORLDS) && is_reached(difference, rows)
}

fn is_reached(difference: RowHash, rows: &[&[RowHash]]) -> bool {
    let Some((versions, rest)) = rows.split_first() else { return difference == 0 };
    let without = |version: &RowHash| difference.wrapping_sub(version.wrapping_sub(versions[0]));
    versions.iter().any(|version| is_reached(without(version), rest))
}

/// What some buckets of one side's table hold: the hash of each row by the hash of its key.
pub(crate) struct RowDigest {
    chosen: Vec<bool>,
    rows: HashMap<RowHash, RowHash>,
}

impl RowDigest {
    /// Takes in a row, replacing one of the same key.
    pub(crate) fn put(&mut self, hasher: &mut Hasher<'_>, row: &Row) {
        let key = hasher.key(row);
        if self.chosen[bucket_of(key, self.chosen.len())] {
            self.rows.insert(key, hasher.row(row));
        }
    }

    /// Forgets the row of this key.
    pub(crate) fn remove(&mut self, key: &[String], row: &Row) {
        self.rows.remove(&key_hash(key, row));
    }

    /// Keys of rows that differ or are on one side only.
    pub(crate) fn differences(&self, other: &RowDigest) -> Vec<RowHash> {
        let missing = self.rows.iter().filter(|(key, row)| other.rows.get(*key) != Some(*row));
        let extra = other.rows.keys().filter(|key| !self.rows.contains_key(*key));
        missing.map(|(key, _)| *key).chain(extra.copied()).collect()
    }

    /// The buckets of these keys.
    pub(crate) fn buckets_of(&self, keys: &[RowHash]) -> Vec<usize> {
        let mut buckets: Vec<_> = keys.iter().map(|key| bucket_of(*key, self.chosen.len())).collect();
        buckets.sort_unstable();
        buckets.dedup();
        buckets
    }
}

/// The bucket of a key among a power of two of them.
fn bucket_of(key: RowHash, buckets: usize) -> usize {
    // What is cut off is what the mask takes away.
    key as usize & (buckets - 1)
}

#[cfg(test)]
mod tests {
    use truststream_kernel::Value;

    use super::*;

    fn row(values: &[(&str, Value)]) -> Row {
        Row {
            columns: values.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: values.iter().map(|(_, value)| value.clone()).collect(),
        }
    }

    fn key() -> [String; 1] {
        ["id".to_owned()]
    }

    fn sums_of(source: &[Row], target: &[Row]) -> Sums {
        let (key, mut sums) = (key(), Sums::new(0, false));
        source.iter().for_each(|row| sums.source.put(&mut Hasher::new(&key), row));
        target.iter().for_each(|row| sums.target.put(&mut Hasher::new(&key), row));
        sums
    }

    fn of(id: i64, n: i64) -> Row {
        row(&[("id", Value::Int(id)), ("n", Value::Int(n))])
    }

    fn change(old: Option<Row>, new: Option<Row>) -> Change {
        let table = truststream_services::database::TableName::public("t");
        let kind = truststream_services::database::ChangeKind::Update;
        Change { old, new, kind, mark: Default::default(), table, origin: None, made_at: 0 }
    }

    #[test]
    fn sums_ignore_the_order_of_rows_and_columns_but_no_value() {
        let (one, two) = (Value::Int(1), Value::Text("a".to_owned()));
        let source = [
            row(&[("id", one.clone()), ("name", two.clone())]),
            row(&[("id", Value::Int(2)), ("name", Value::Null)]),
        ];
        let mut target =
            vec![row(&[("name", Value::Null), ("id", Value::Int(2))]), row(&[("name", two), ("id", one)])];
        let mut sums = sums_of(&source, &target);
        assert!(sums.suspects(&Touched::default()).is_empty());
        assert_eq!(sums.source.checksum(), sums.target.checksum());
        target.push(row(&[("id", Value::Int(3)), ("name", Value::Text(String::new()))]));
        assert_eq!(sums_of(&source, &target).suspects(&Touched::default()).len(), 1);
        let renamed = [row(&[("id", Value::Int(1)), ("m", Value::Int(1))])];
        assert_eq!(sums_of(&[of(1, 1)], &renamed).suspects(&Touched::default()).len(), 1);
    }

    #[test]
    fn rows_that_changed_while_they_were_read_explain_a_difference_and_nothing_else_does() {
        let versions = [of(1, 0), of(1, 1), of(1, 2)];
        let mut touched = Touched::default();
        for two in versions.windows(2) {
            touched.note(&key(), &change(Some(two[0].clone()), Some(two[1].clone())));
        }
        touched.note(&key(), &change(Some(of(2, 0)), None));
        touched.note(&key(), &change(None, Some(of(3, 0))));
        for read in versions {
            for others in [vec![], vec![of(2, 0)], vec![of(3, 0)], vec![of(2, 0), of(3, 0)]] {
                let source: Vec<Row> = others.into_iter().chain([read.clone(), of(4, 0)]).collect();
                let at_first = [of(1, 0), of(2, 0), of(4, 0)];
                let mut sums = sums_of(&source, &at_first);
                assert!(sums.suspects(&touched).is_empty(), "{source:?}");
                assert_eq!(sums.source.checksum(), sums.target.checksum());
            }
        }
        let lost = [of(1, 1), of(2, 0), of(4, 0)];
        assert_eq!(sums_of(&[of(1, 2), of(2, 0), of(4, 0)], &lost).suspects(&touched).len(), 1);
        // That the second is gone is explained, what the first is now is not.
        let mut sums = sums_of(&[of(1, 7), of(4, 0)], &[of(1, 0), of(2, 0), of(4, 0)]);
        assert_eq!(sums.suspects(&touched).len(), 1);
    }

    #[test]
    fn more_changes_than_are_remembered_make_everything_doubtful() {
        let mut touched = Touched::default();
        for n in 0..=MOST_VERSIONS {
            touched.push(n as RowHash, 0, 1);
        }
        assert!(touched.versions.len() <= MOST_VERSIONS);
        assert_eq!(sums_of(&[], &[]).suspects(&touched).len(), 1 << 10);
    }

    #[test]
    fn a_suspect_bucket_is_looked_at_row_by_row() {
        let source: Vec<Row> = (0..5_000).map(|id| of(id, 0)).collect();
        let target: Vec<Row> = (0..5_000).map(|id| of(id, i64::from(id == 7))).collect();
        let mut sums = sums_of(&source, &target);
        let suspects = sums.suspects(&Touched::default());
        assert_eq!(suspects.len(), 1);
        let (mut left, mut right) = (sums.rows_of(&suspects), sums.rows_of(&suspects));
        let key = key();
        let mut hasher = Hasher::new(&key);
        source.iter().for_each(|row| left.put(&mut hasher, row));
        target.iter().for_each(|row| right.put(&mut hasher, row));
        assert!(left.rows.len() < 50, "{} rows in one bucket", left.rows.len());
        assert_eq!(left.differences(&right), [key_hash(&key, &of(7, 0))]);
        sums.settle(&suspects, &left, &left);
        assert_eq!(sums.source.checksum(), sums.target.checksum());
    }

    #[test]
    fn a_sample_holds_the_same_rows_of_both_sides() {
        let (key, mut sums) = (key(), Sums::new(0, true));
        let mut hasher = Hasher::new(&key);
        for id in 0..1_000 {
            sums.source.put(&mut hasher, &of(id, 0));
            sums.target.put(&mut hasher, &of(999 - id, 0));
        }
        assert!((20..200).contains(&sums.target.rows), "{}", sums.target.rows);
        assert!(sums.suspects(&Touched::default()).is_empty());
    }
}
