//! Reading rows, and asking who may.

use truststream_kernel::{FeatureSet, Requires, Row};

use super::needs::query_needs;
use super::shape;
use super::{Format, Media, Transaction};
use crate::database::{Count, DatabaseFeature, Query, TableName};

/// Reads rows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Select {
    /// From where.
    pub table: TableName,
    /// What.
    pub query: Query,
    /// Whether to count all matching rows.
    pub count: Option<Count>,
    /// In which representation.
    pub format: Format,
    /// How the transaction is run.
    pub transaction: Transaction,
    /// The rows may come as [`Page::values`] instead of a JSON body, where the provider holds them so:
    /// for who reads them in the same process.
    pub as_values: bool,
}

impl Select {
    /// A JSON reply without a count.
    pub fn new(table: TableName, query: Query) -> Self {
        Select {
            table,
            query,
            count: None,
            format: Format::default(),
            transaction: Transaction::default(),
            as_values: false,
        }
    }
}

impl Requires for Select {
    fn needs(&self) -> FeatureSet {
        let needs = query_needs(&self.query);
        match self.format.media {
            Media::Plan(_) => needs.with(DatabaseFeature::Explain),
            Media::GeoJson => needs.with(DatabaseFeature::GeoJson),
            Media::Custom(_) => needs.with(DatabaseFeature::MediaHandlers),
            _ => needs,
        }
    }

    fn shape(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        shape::query(out, "select", &self.table, &self.query)
    }
}

/// Asks whether the caller's `select` policies let it see rows given by value (they need not exist
/// any more). Realtime uses it to decide who sees a change. One verdict a row.
#[derive(Clone, Debug)]
pub struct Authorize {
    /// The table whose policies apply.
    pub table: TableName,
    /// The rows.
    pub rows: Vec<Row>,
}

impl Requires for Authorize {}

/// Asks whether the database answers.
#[derive(Clone, Debug, Default)]
pub struct Ping;

impl Requires for Ping {}
