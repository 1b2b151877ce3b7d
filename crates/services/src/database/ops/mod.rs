//! The operations of the Database service and their replies.

mod batches;
mod calls;
mod feed;
mod fence;
mod moving;
mod needs;
mod packed;
mod raw;
mod reads;
mod replies;
mod schema;
mod shape;
mod stripped;
mod transactions;
mod writes;

use std::sync::Arc;

use truststream_kernel::operations;

use super::{Catalog, ChangeBatch, DatabaseDriver, DatabaseFeature, Position};

pub use batches::*;
pub use calls::*;
pub use feed::*;
pub use fence::*;
pub use moving::*;
pub use packed::*;
pub use raw::*;
pub use reads::*;
pub use replies::*;
pub use schema::*;
pub use transactions::*;
pub use writes::*;

operations! {
    /// The Database service.
    DatabaseService("database", DatabaseFeature), driver DatabaseDriver, op DatabaseOp, reply DatabaseReply {
        Select => select -> Page, Read, true;
        Insert => insert -> Page, Write, false;
        Update => update -> Page, Write, false;
        Delete => delete -> Page, Write, false;
        Invoke => invoke -> Page, Write, false;
        Batch => batch -> Vec<Page>, Write, false;
        Begin => begin -> OpenTransaction, Write, false;
        Raw => raw -> Page, Write, false;
        Authorize => authorize -> Vec<bool>, Read, true;
        Describe => describe -> Arc<Catalog>, Read, true;
        Review => review -> Vec<Problem>, Admin, true;
        Weigh => weigh -> Vec<Cost>, Admin, true;
        Migrate => migrate -> MigrationOutcome, Admin, true;
        Migrations => migrations -> Vec<AppliedMigration>, Admin, true;
        MigrationNames => migration_names -> Vec<String>, Admin, true;
        SchemaMark => schema_mark -> Option<String>, Admin, true;
        Revert => revert -> (), Admin, false;
        Adopt => adopt -> (), Admin, true;
        Introspect => introspect -> Introspection, Admin, true;
        Rehearse => rehearse -> Introspection, Admin, true;
        Ping => ping -> (), Read, true;
        Capture => capture -> Position, Admin, true;
        Changes => changes -> ChangeBatch, Read, true;
        Scan => scan -> Chunk, Admin, true;
        Packing => packing -> Option<String>, Admin, true;
        Unload => unload -> Packed, Admin, true;
        Load => load -> Applied, Admin, true;
        Prepare => prepare -> (), Admin, true;
        PrepareClaimed => prepare_claimed -> Applied, Admin, true;
        Apply => apply -> Applied, Admin, true;
        Fence => fence -> (), Admin, true;
        AppliedPosition => applied_position -> Option<Position>, Admin, true;
    }
}
