//! The words every part of TrustStream shares: service, operation, call, layer, context, error,
//! body, value. No I/O, no runtime, no `cfg(feature)`.
//!
//! Every request to every service is one value (an [`Operation`]) sent through one erased
//! boundary ([`Call`]). Providers implement a typed driver trait, applications use a typed handle,
//! and everything between them, every [`Layer`], is written once for all services.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod body;
mod call;
mod code;
mod context;
mod error;
mod features;
mod handle;
mod layer;
mod operation;
mod provider;
mod secret;
pub mod units;
pub mod value;

pub use body::{Body, ByteStream};
pub use call::{Call, Driven, Request, Service, Stack, send};
pub use context::{Caller, Context, Identity, RequestFacts, Settings};
pub use error::{Error, ErrorKind, Outcome, Result, Retry};
pub use features::{Feature, FeatureSet, Features, Support};
pub use handle::Handle;
pub use layer::Layer;
pub use operation::{Effect, OpInfo, Operation, Requires};
pub use provider::Provider;
pub use secret::Secret;
pub use value::{Row, Type, Value};

#[doc(hidden)]
pub use futures::future::BoxFuture;
