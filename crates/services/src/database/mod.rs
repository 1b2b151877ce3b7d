//! The Database service: a query language over tables, policies, a catalog, a change feed.

mod casts;
mod catalog;
mod change;
mod definitions;
mod driver;
mod embeds;
pub mod errors;
mod features;
pub mod language;
mod managed;
mod misspelt;
mod one_row;
mod ops;
mod query;
mod references;
mod rights;
mod roles;

pub use casts::*;
pub use catalog::*;
pub use change::*;
pub use definitions::*;
pub use driver::DatabaseDriver;
pub use features::DatabaseFeature;
pub use managed::is_managed;
/// The typed face of the Database service; the builders of the library stand on top of it.
pub type Database = truststream_kernel::Handle<DatabaseService>;
pub use ops::*;
pub use query::*;
pub use references::Reference;
pub use roles::is_above_policies;
