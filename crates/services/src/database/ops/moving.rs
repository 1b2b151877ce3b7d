//! Moving rows from one database to another.

use truststream_kernel::{Requires, Row, Value};

use super::AppliedMigration;
use crate::database::{Change, Position, TableName};

/// Reads a table in primary-key order, a chunk at a time.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Which table.
    pub table: TableName,
    /// Key values of the last row of the chunk before.
    pub after: Option<Vec<Value>>,
    /// Key values of the last row to be read.
    pub until: Option<Vec<Value>>,
    /// From the greatest key downwards.
    pub backwards: bool,
    /// Rows at most.
    pub limit: usize,
}

impl Scan {
    /// The first rows behind a key, or of the whole table.
    pub fn new(table: TableName, after: Option<Vec<Value>>, limit: usize) -> Self {
        Scan { table, after, until: None, backwards: false, limit }
    }
}

impl Requires for Scan {}

/// Rows of a [`Scan`], all read at one position of the feed.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The rows; fewer than the limit at the end of the table.
    pub rows: Vec<Row>,
    /// The feed's position in the very snapshot that the rows were read in.
    pub position: Position,
}

/// Makes a database ready to receive the rows of another one.
#[derive(Clone, Debug)]
pub enum Prepare {
    /// Applies the migrations and takes away what can't hold while rows arrive in any order
    /// (secondary unique keys, foreign keys). Refuses a database that holds rows already.
    Begin {
        /// All migrations of the source, in order.
        migrations: Vec<AppliedMigration>,
    },
    /// Puts back, and thereby checks, what `Begin` took away, and sets identity positions past
    /// the largest value seen.
    Finish,
    /// Sets identity positions past the largest values present, with head-room.
    Identities,
    /// Removes all rows received and all that `Begin` made. Does nothing where no `Begin` was, or
    /// after `Keep`.
    Discard,
    /// What was received stays for good: it can't be discarded any more.
    Keep,
}

impl Requires for Prepare {}

/// A step of [`Prepare`] for whoever holds a claim: done only while a stream ([`AppliedPosition`]) stands
/// where it is expected, which is looked at in the transaction that does it.
///
/// The stream stays where it stands, although [`Prepare::Discard`] forgets all others. An engine that
/// can't do a step in one transaction looks first, and then removes nothing that was made since.
#[derive(Clone, Debug)]
pub struct PrepareClaimed {
    /// Name of the stream.
    pub origin: String,
    /// Where it has to stand.
    pub expected: Position,
    /// What is done.
    pub step: Prepare,
}

impl Requires for PrepareClaimed {}

/// Longest text of a row that is shown.
const SHOWN: usize = 500;

/// The message of [`Prepare::Finish`] where two rows received, as JSON, have what a unique key allows once.
pub fn both_rows_of(table: &str, key: &str, rows: [&str; 2]) -> String {
    let [one, other] = rows.map(|row| match row.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &row[..end]),
        None => row.to_owned(),
    });
    format!("rows received in table {table} violate the unique key {key}: {one} and {other}")
}

/// Applies rows or changes that come from another database, in one transaction together with the
/// position reached. No trigger of the application fires, no policy applies, generated values are
/// taken as they are, and the changes are marked with their origin in this database's own feed.
#[derive(Clone, Debug)]
pub struct Apply {
    /// Name of the stream they come from, such as `switch-7/forward`.
    pub origin: String,
    /// Nothing is applied unless the stream stands exactly here ([`AppliedPosition`]), also where it
    /// is not moved on: nobody else moves it before what comes with it is there.
    pub expected: Option<Position>,
    /// Where the stream stands afterwards; where it stood if absent.
    pub position: Option<Position>,
    /// Whole rows to insert or replace by primary key.
    pub rows: Vec<(TableName, Vec<Row>)>,
    /// Changes, in order.
    pub changes: Vec<Change>,
}

impl Requires for Apply {}

/// What [`Apply`] or [`PrepareClaimed`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is durable.
    Done,
    /// The stream stood elsewhere (another applier was here); nothing was applied.
    Stale,
}

/// Asks where a stream of [`Apply`] stands.
#[derive(Clone, Debug)]
pub struct AppliedPosition {
    /// Name of the stream.
    pub origin: String,
}

impl Requires for AppliedPosition {}
