//! The Auth service: users, their sessions, and the tokens that say who asks.

mod driver;
mod factors;
mod features;
mod model;
mod ops;

pub use driver::AuthDriver;
pub use factors::*;
pub use features::AuthFeature;
pub use model::*;
pub use ops::*;

/// The typed face of the Auth service.
pub type Auth = truststream_kernel::Handle<AuthService>;
