//! Checksums of rows, equal exactly when two engines hold the same values.
//!
//! Rows are assigned to buckets by the hash of their key, so the order in which an engine sorts keys
//! does not matter, and a whole table is a few numbers.

use std::collections::HashMap;

use truststream_kernel::{Row, Value};

/// The hash of one row or key: 128 bits of BLAKE3 over its canonical bytes.
pub(crate) type RowHash = u128;

/// Rows that one bucket is meant for.
const ROWS_IN_BUCKET: u64 = 32;

/// Most buckets of a table: 48 MB of sums.
const MOST_BUCKETS: u64 = 1 << 20;

/// One bucket in so many is compared in a sample.
const SAMPLE: usize = 16;

/// What both sides' tables hold, as a sum for each bucket.
pub(crate) struct Sums {
    source: Vec<RowHash>,
    target: Vec<RowHash>,
    /// Buckets whose rows have changed since they were read.
    touched: Vec<bool>,
    sample: bool,
    /// Rows of the target that were taken in.
    pub(crate) rows: u64,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Source,
    Target,
}

impl Sums {
    /// For a table of about so many rows.
    pub(crate) fn new(rows: u64, sample: bool) -> Self {
        let buckets = (rows / ROWS_IN_BUCKET).clamp(1 << 10, MOST_BUCKETS).next_power_of_two();
        let buckets = usize::try_from(buckets).unwrap_or(1 << 10);
        let none = vec![0; buckets];
        Sums { source: none.clone(), target: none, touched: vec![false; buckets], sample, rows: 0 }
    }

    /// The bucket of a key, unless the sample leaves it out.
    fn bucket(&self, key: RowHash) -> Option<usize> {
        let bucket = bucket_of(key, self.source.len());
        (!self.sample || bucket.is_multiple_of(SAMPLE)).then_some(bucket)
    }

    /// Takes in a row of a side.
    pub(crate) fn put(&mut self, which: Which, key: &[String], row: &Row) {
        let Some(bucket) = self.bucket(key_hash(key, row)) else { return };
        let sums = match which {
            Which::Source => &mut self.source,
            Which::Target => {
                self.rows += 1;
                &mut self.target
            }
        };
        sums[bucket] = sums[bucket].wrapping_add(row_hash(row));
    }

    /// A row has changed since it was read.
    pub(crate) fn touch(&mut self, key: &[String], row: &Row) {
        if let Some(bucket) = self.bucket(key_hash(key, row)) {
            self.touched[bucket] = true;
        }
    }

    /// Of so many rows, how many are in one bucket.
    pub(crate) fn in_bucket(&self, rows: u64) -> u64 {
        rows / self.source.len() as u64 + 1
    }

    /// Buckets that have to be looked at row by row.
    pub(crate) fn suspects(&self) -> Vec<usize> {
        let suspect = |bucket: &usize| self.touched[*bucket] || self.source[*bucket] != self.target[*bucket];
        (0..self.source.len()).filter(suspect).collect()
    }

    /// Puts the sums that looking row by row gave in place of those of a bucket.
    pub(crate) fn settle(&mut self, buckets: &[usize], source: &RowDigest, target: &RowDigest) {
        for bucket in buckets {
            self.source[*bucket] = 0;
            self.target[*bucket] = 0;
        }
        for (sums, digest) in [(&mut self.source, source), (&mut self.target, target)] {
            for (key, row) in &digest.rows {
                let bucket = bucket_of(*key, sums.len());
                sums[bucket] = sums[bucket].wrapping_add(*row);
            }
        }
    }

    /// A digest of these buckets' rows, empty yet.
    pub(crate) fn rows_of(&self, buckets: &[usize]) -> RowDigest {
        let mut chosen = vec![false; self.source.len()];
        for bucket in buckets {
            chosen[*bucket] = true;
        }
        RowDigest { chosen, rows: HashMap::new() }
    }

    /// One checksum over all rows of a side, whatever their order.
    pub(crate) fn checksum(&self, which: Which) -> String {
        let sums = if which == Which::Source { &self.source } else { &self.target };
        let sum = sums.iter().fold(0u128, |sum, bucket| sum.wrapping_add(*bucket));
        format!("{sum:032x}")
    }
}

/// What some buckets of one side's table hold: the hash of each row by the hash of its key.
pub(crate) struct RowDigest {
    chosen: Vec<bool>,
    rows: HashMap<RowHash, RowHash>,
}

impl RowDigest {
    /// Takes in a row, replacing one of the same key.
    pub(crate) fn put(&mut self, key: &[String], row: &Row) {
        let key = key_hash(key, row);
        if self.chosen[bucket_of(key, self.chosen.len())] {
            self.rows.insert(key, row_hash(row));
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

/// The hash of a row's key.
pub(crate) fn key_hash(key: &[String], row: &Row) -> RowHash {
    let mut bytes = Vec::with_capacity(64);
    for column in key {
        row.get(column).unwrap_or(&Value::Null).write_canonical(&mut bytes);
    }
    hash(&bytes)
}

/// The hash of a row, whatever the order of its columns.
fn row_hash(row: &Row) -> RowHash {
    let mut bytes = Vec::with_capacity(256);
    let mut order: Vec<usize> = (0..row.columns.len()).collect();
    order.sort_by_key(|index| &row.columns[*index]);
    for index in order {
        bytes.extend_from_slice(row.columns[index].as_bytes());
        bytes.push(0);
        if let Some(value) = row.values.get(index) {
            value.write_canonical(&mut bytes);
        }
    }
    hash(&bytes)
}

fn hash(bytes: &[u8]) -> RowHash {
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    RowHash::from_le_bytes(half)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn sums_ignore_the_order_of_rows_and_columns_but_no_value() {
        let mut sums = Sums::new(0, false);
        let (one, two) = (Value::Int(1), Value::Text("a".to_owned()));
        sums.put(Which::Source, &key(), &row(&[("id", one.clone()), ("name", two.clone())]));
        sums.put(Which::Source, &key(), &row(&[("id", Value::Int(2)), ("name", Value::Null)]));
        sums.put(Which::Target, &key(), &row(&[("name", Value::Null), ("id", Value::Int(2))]));
        sums.put(Which::Target, &key(), &row(&[("name", two), ("id", one.clone())]));
        assert!(sums.suspects().is_empty());
        assert_eq!(sums.checksum(Which::Source), sums.checksum(Which::Target));
        sums.put(Which::Target, &key(), &row(&[("id", Value::Int(3)), ("name", Value::Text(String::new()))]));
        assert_eq!(sums.suspects().len(), 1);
        sums.touch(&key(), &row(&[("id", one)]));
        assert_eq!(sums.suspects().len(), 2);
    }

    #[test]
    fn a_suspect_bucket_is_looked_at_row_by_row() {
        let mut sums = Sums::new(0, false);
        for id in 0..5_000 {
            sums.put(Which::Source, &key(), &row(&[("id", Value::Int(id)), ("n", Value::Int(0))]));
            let n = Value::Int(i64::from(id == 7));
            sums.put(Which::Target, &key(), &row(&[("id", Value::Int(id)), ("n", n)]));
        }
        let suspects = sums.suspects();
        assert_eq!(suspects.len(), 1);
        let (mut source, mut target) = (sums.rows_of(&suspects), sums.rows_of(&suspects));
        for id in 0..5_000 {
            source.put(&key(), &row(&[("id", Value::Int(id)), ("n", Value::Int(0))]));
            target.put(&key(), &row(&[("id", Value::Int(id)), ("n", Value::Int(i64::from(id == 7)))]));
        }
        assert!(source.rows.len() < 50, "{} rows in one bucket", source.rows.len());
        let seven = key_hash(&key(), &row(&[("id", Value::Int(7))]));
        assert_eq!(source.differences(&target), [seven]);
        sums.settle(&suspects, &source, &source);
        assert_eq!(sums.checksum(Which::Source), sums.checksum(Which::Target));
    }

    #[test]
    fn a_sample_holds_the_same_rows_of_both_sides() {
        let mut sums = Sums::new(0, true);
        for id in 0..1_000 {
            sums.put(Which::Source, &key(), &row(&[("id", Value::Int(id))]));
            sums.put(Which::Target, &key(), &row(&[("id", Value::Int(999 - id))]));
        }
        assert!((20..200).contains(&sums.rows), "{}", sums.rows);
        assert!(sums.suspects().is_empty());
    }
}
