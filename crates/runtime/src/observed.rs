//! The kinds of queries that a project answered, for reports.

use serde::{Deserialize, Serialize};
use truststream_kernel::Service;
use truststream_layers::Observed;
use truststream_services::database::DatabaseService;

/// The kinds of queries that were answered since the project was opened. No value of any query is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedQueries {
    /// The most frequent first.
    pub queries: Vec<ObservedQuery>,
    /// Queries of kinds that there was no more room for.
    pub beyond: u64,
}

/// One kind of queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedQuery {
    /// Operation, table, and what is selected, filtered and ordered by: `select public.tracks: * where
    /// title.ilike limit`.
    pub shape: String,
    /// Names of the features it needs.
    pub needs: Vec<String>,
    /// How many were answered.
    pub count: u64,
    /// When the last one was, in seconds since 1970.
    pub last_seen: u64,
}

impl ObservedQueries {
    pub(crate) fn of(observed: &Observed) -> Self {
        let named = |kind: truststream_layers::ObservedKind| ObservedQuery {
            needs: kind.needs.names(DatabaseService::FEATURES).into_iter().map(str::to_owned).collect(),
            shape: kind.shape,
            count: kind.count,
            last_seen: kind.last,
        };
        ObservedQueries {
            queries: observed.kinds().into_iter().map(named).collect(),
            beyond: observed.beyond(),
        }
    }
}
