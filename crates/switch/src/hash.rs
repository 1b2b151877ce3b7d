//! Hashes of rows: equal exactly where two engines hold the same values.

use std::sync::Arc;

use truststream_kernel::{Row, Value};

/// The hash of one row or key: 128 bits of BLAKE3 over its canonical bytes.
pub(crate) type RowHash = u128;

/// The hash of a row's key.
pub(crate) fn key_hash(key: &[String], row: &Row) -> RowHash {
    Hasher::new(key).key(row)
}

/// Hashes the rows of a table.
pub(crate) struct Hasher<'a> {
    key: &'a [String],
    layout: Option<Layout>,
    bytes: Vec<u8>,
}

/// Where a row holds what is hashed of it.
struct Layout {
    columns: Arc<[String]>,
    key: Vec<Option<usize>>,
    /// All columns by name, since two engines may hold them in another order.
    order: Vec<usize>,
    names: RowHash,
}

impl Layout {
    fn of(columns: &Arc<[String]>, key: &[String]) -> Self {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|index| &columns[*index]);
        let mut names = Vec::new();
        for index in &order {
            names.extend_from_slice(columns[*index].as_bytes());
            names.push(0);
        }
        let place = |name: &String| columns.iter().position(|column| column == name);
        Layout {
            columns: Arc::clone(columns),
            key: key.iter().map(place).collect(),
            names: hash(&names),
            order,
        }
    }
}

impl<'a> Hasher<'a> {
    /// For rows of this key.
    pub(crate) fn new(key: &'a [String]) -> Self {
        Hasher { key, layout: None, bytes: Vec::with_capacity(256) }
    }

    /// The hash of a row's key.
    pub(crate) fn key(&mut self, row: &Row) -> RowHash {
        self.hash(row, |layout, bytes| {
            for index in &layout.key {
                let value = index.and_then(|index| row.values.get(index));
                value.unwrap_or(&Value::Null).write_canonical(bytes);
            }
        })
    }

    /// The hash of a row, whatever the order of its columns.
    pub(crate) fn row(&mut self, row: &Row) -> RowHash {
        self.hash(row, |layout, bytes| {
            bytes.extend_from_slice(&layout.names.to_le_bytes());
            for value in layout.order.iter().filter_map(|index| row.values.get(*index)) {
                value.write_canonical(bytes);
            }
        })
    }

    fn hash(&mut self, row: &Row, write: impl FnOnce(&Layout, &mut Vec<u8>)) -> RowHash {
        let layout = match self.layout.take() {
            Some(layout) if is_same(&layout.columns, &row.columns) => layout,
            _ => Layout::of(&row.columns, self.key),
        };
        self.bytes.clear();
        write(&layout, &mut self.bytes);
        self.layout = Some(layout);
        hash(&self.bytes)
    }
}

fn is_same(one: &Arc<[String]>, other: &Arc<[String]>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

fn hash(bytes: &[u8]) -> RowHash {
    halved(blake3::hash(bytes))
}

/// One hash of two.
pub(crate) fn combined(one: u128, other: u128) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&one.to_le_bytes());
    bytes[16..].copy_from_slice(&other.to_le_bytes());
    hash(&bytes)
}

/// As much of a hash as is kept.
pub(crate) fn halved(hash: blake3::Hash) -> u128 {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(half)
}
