//! Checksums of rows, equal exactly when two engines hold the same values.

use std::collections::HashMap;

use truststream_kernel::{Row, Value};

use crate::Verify;

/// The hash of one row or key: 128 bits of BLAKE3 over its canonical bytes.
pub(crate) type RowHash = u128;

/// What one side's table holds: the hash of each row by the hash of its key. Compared as a whole,
/// so the order in which an engine sorts keys does not matter.
pub(crate) struct TableDigest {
    rows: HashMap<RowHash, RowHash>,
    /// Only one key in so many is looked at.
    one_in: RowHash,
}

/// One row in so many is compared in a sample.
const SAMPLE: RowHash = 16;

impl TableDigest {
    /// Of no rows yet.
    pub(crate) fn new(verify: Verify) -> Self {
        let one_in = if verify == Verify::Sample { SAMPLE } else { 1 };
        TableDigest { rows: HashMap::new(), one_in }
    }

    /// Takes in a row, replacing one of the same key.
    pub(crate) fn put(&mut self, key: &[String], row: &Row) {
        let key = key_hash(key, row);
        if key % self.one_in != 0 {
            return;
        }
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
        self.rows.insert(key, hash(&bytes));
    }

    /// Forgets the row of this key.
    pub(crate) fn remove(&mut self, key: &[String], row: &Row) {
        self.rows.remove(&key_hash(key, row));
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    /// One checksum over all rows, whatever their order.
    pub(crate) fn checksum(&self) -> String {
        let sum = self.rows.values().fold(0u128, |sum, row| sum.wrapping_add(*row));
        format!("{sum:032x}")
    }

    /// Rows that differ or are on one side only.
    pub(crate) fn differences(&self, other: &TableDigest) -> usize {
        let missing = self.rows.iter().filter(|(key, row)| other.rows.get(*key) != Some(*row)).count();
        let extra = other.rows.keys().filter(|key| !self.rows.contains_key(*key)).count();
        missing + extra
    }
}

/// The hash of a row's key.
pub(crate) fn key_hash(key: &[String], row: &Row) -> RowHash {
    let mut bytes = Vec::with_capacity(64);
    for column in key {
        row.get(column).unwrap_or(&Value::Null).write_canonical(&mut bytes);
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

    #[test]
    fn a_checksum_ignores_the_order_of_rows_and_columns_but_no_value() {
        let key = ["id".to_owned()];
        let (one, two) = (Value::Int(1), Value::Text("a".to_owned()));
        let mut left = TableDigest::new(Verify::Full);
        left.put(&key, &row(&[("id", one.clone()), ("name", two.clone())]));
        left.put(&key, &row(&[("id", Value::Int(2)), ("name", Value::Null)]));
        let mut right = TableDigest::new(Verify::Full);
        right.put(&key, &row(&[("name", Value::Null), ("id", Value::Int(2))]));
        right.put(&key, &row(&[("name", two), ("id", one)]));
        assert_eq!(left.checksum(), right.checksum());
        assert_eq!(left.differences(&right), 0);
        right.put(&key, &row(&[("name", Value::Text(String::new())), ("id", Value::Int(2))]));
        assert_ne!(left.checksum(), right.checksum());
        assert_eq!(left.differences(&right), 1);
    }

    #[test]
    fn a_sample_holds_the_same_rows_of_both_sides() {
        let key = ["id".to_owned()];
        let (mut left, mut right) = (TableDigest::new(Verify::Sample), TableDigest::new(Verify::Sample));
        for id in 0..1_000 {
            left.put(&key, &row(&[("id", Value::Int(id))]));
            right.put(&key, &row(&[("id", Value::Int(999 - id))]));
        }
        assert!((20..200).contains(&left.len()), "{}", left.len());
        assert_eq!(left.differences(&right), 0);
    }
}
