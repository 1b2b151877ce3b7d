//! The Realtime service: messages between clients, and changes of rows to those who may see them.

mod driver;
mod features;
mod model;
mod ops;

pub use driver::RealtimeDriver;
pub use features::RealtimeFeature;
pub use model::*;
pub use ops::*;

/// The typed face of the Realtime service.
pub type Realtime = truststream_kernel::Handle<RealtimeService>;
