//! Writing rows.

use truststream_kernel::{Body, FeatureSet, Requires};

use super::needs::needs_in;
use super::shape;
use super::{Format, Returning, Transaction};
use crate::database::{Count, Query, TableName};

/// What all writes share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WriteOptions {
    /// What is returned.
    pub returning: Returning,
    /// Whether to count the rows written.
    pub count: Option<Count>,
    /// In which representation.
    pub format: Format,
    /// How the transaction is run.
    pub transaction: Transaction,
    /// Write only if the row is still of this version ([`Page::version`](super::Page::version)), `*` for any;
    /// otherwise nothing is written and the error is `BACKEND_016`.
    pub if_version: Option<String>,
}

/// What an insert does when a row of the same key exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OnConflict {
    /// Columns of a unique key; the primary key if absent.
    pub columns: Option<Vec<String>>,
    /// Update the existing row (otherwise keep it and skip the new one).
    pub merge: bool,
}

/// Inserts rows.
#[derive(Clone, Debug)]
pub struct Insert {
    /// Into which table.
    pub table: TableName,
    /// One JSON object or an array of them.
    pub rows: Body,
    /// Columns to take from the rows; the keys of the first row if absent (then all rows must have
    /// the same keys, PGRST102).
    pub columns: Option<Vec<String>>,
    /// A column missing from a row takes its default instead of null.
    pub missing_default: bool,
    /// What to do with rows whose key exists.
    pub on_conflict: Option<OnConflict>,
    /// `items` select what is returned; `filter` is the key that a single upsert by `PUT` names.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Insert {
    /// A plain insert that returns nothing.
    pub fn new(table: TableName, rows: impl Into<Body>) -> Self {
        Insert {
            table,
            rows: rows.into(),
            columns: None,
            missing_default: false,
            on_conflict: None,
            query: Query::all(),
            options: WriteOptions::default(),
        }
    }
}

impl Requires for Insert {
    fn needs(&self) -> FeatureSet {
        needs_in(&self.query, &self.options.format)
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        shape::query(out, "insert", &self.table, &self.query)
    }
}

/// Changes the rows that `query.filter` matches.
#[derive(Clone, Debug)]
pub struct Update {
    /// In which table.
    pub table: TableName,
    /// One JSON object: column to new value.
    pub values: Body,
    /// Columns to take from `values`; all its keys if absent.
    pub columns: Option<Vec<String>>,
    /// A column missing from `values` takes its default instead of null.
    pub missing_default: bool,
    /// Which rows, and what is returned of them.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Update {
    /// An update that returns nothing.
    pub fn new(table: TableName, values: impl Into<Body>, query: Query) -> Self {
        Update {
            table,
            values: values.into(),
            columns: None,
            missing_default: false,
            query,
            options: WriteOptions::default(),
        }
    }
}

impl Requires for Update {
    fn needs(&self) -> FeatureSet {
        needs_in(&self.query, &self.options.format)
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        shape::query(out, "update", &self.table, &self.query)
    }
}

/// Deletes the rows that `query.filter` matches.
#[derive(Clone, Debug)]
pub struct Delete {
    /// From which table.
    pub table: TableName,
    /// Which rows, and what is returned of them.
    pub query: Query,
    /// The rest.
    pub options: WriteOptions,
}

impl Delete {
    /// A delete that returns nothing.
    pub fn new(table: TableName, query: Query) -> Self {
        Delete { table, query, options: WriteOptions::default() }
    }
}

impl Requires for Delete {
    fn needs(&self) -> FeatureSet {
        needs_in(&self.query, &self.options.format)
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        shape::query(out, "delete", &self.table, &self.query)
    }
}
