//! Moving rows between databases of one kind, in that kind's own form.

use bytes::Bytes;
use truststream_kernel::{Requires, Value};

use super::Scan;
use crate::database::{Position, TableName};

/// Asks in which form of its own a database hands out the rows of a table and takes them in. Where two
/// databases name the same one, rows need not become values on their way.
///
/// The answer names everything that both have to agree on: the kind of engine, the format, and the
/// columns with their types. `None` where there is no such form, or not for this table.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Which table.
    pub table: TableName,
}

impl Requires for Packing {}

/// Reads rows of a table in key order in the form that [`Packing`] names; about as many as the scan
/// says, and never backwards.
#[derive(Clone, Debug)]
pub struct Unload(pub Scan);

impl Requires for Unload {}

/// Rows of [`Unload`].
#[derive(Clone, Debug)]
pub struct Packed {
    /// The rows, in their form.
    pub bytes: Bytes,
    /// How many they are.
    pub rows: u64,
    /// Key values that the next rows lie behind; `None` when these were the last.
    pub next: Option<Vec<Value>>,
}

/// Takes in rows of [`Unload`], as [`super::Apply`] does: in one transaction, firing no trigger of the
/// application; a row whose key is there is replaced.
#[derive(Clone, Debug)]
pub struct Load {
    /// Name of the stream they come from.
    pub origin: String,
    /// Nothing is taken in unless the stream stands exactly here.
    pub expected: Option<Position>,
    /// Which table.
    pub table: TableName,
    /// What both databases said to [`Packing`].
    pub packing: String,
    /// The rows.
    pub bytes: Bytes,
}

impl Requires for Load {}
