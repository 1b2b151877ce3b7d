//! What is declared of a database in a file, and of one in memory.

use truststream_kernel::{FeatureSet, Features};
use truststream_services::database::DatabaseFeature;

use crate::driver::SqliteDriver;

impl SqliteDriver {
    /// What SQLite can do, and what is done for it in process.
    pub(crate) fn declares() -> Features {
        use DatabaseFeature::{
            Aggregates, ChangeFeed, CompositeColumns, Embeds, Explain, Fences, FullText, Functions, Handlers,
            Partitions, Policies, Ranges, RawQueries, Regex, Representations, RequestFacts, Snapshots,
            Transactions,
        };
        Features {
            native: FeatureSet::of(&[
                Embeds,
                Aggregates,
                ChangeFeed,
                Explain,
                Fences,
                Snapshots,
                Transactions,
            ]),
            emulated: FeatureSet::of(&[
                CompositeColumns,
                FullText,
                Functions,
                Handlers,
                Partitions,
                Policies,
                Ranges,
                RawQueries,
                Regex,
                Representations,
                RequestFacts,
            ]),
        }
    }

    /// The same in memory, where a reader waits for the transaction that writes.
    pub(crate) fn declares_in_memory() -> Features {
        let declared = SqliteDriver::declares();
        Features { native: declared.native.without(DatabaseFeature::Snapshots), ..declared }
    }
}
