//! The Objects service: bytes by key in a flat store. The native storage engine keeps its objects
//! here and everything else about them (buckets, names, policies) in the database.

mod driver;
mod features;
mod ops;

pub use driver::ObjectsDriver;
pub use features::ObjectsFeature;
/// The typed face of the Objects service.
pub type Objects = truststream_kernel::Handle<ObjectsService>;
pub use ops::*;
