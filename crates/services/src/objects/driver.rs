//! What an object store implements.

use std::future::Future;

use truststream_kernel::{Body, Context, Features, Result};

use super::{Check, Get, Head, List, Put, Remove, Stored};

/// An object store. `NotFound` (code `NoSuchKey`) where an object is not there.
pub trait ObjectsDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Stores an object whole or not at all; durable when it returns.
    fn put(&self, cx: &Context, op: &Put) -> impl Future<Output = Result<Stored>> + Send;

    /// Reads an object as a stream.
    fn get(&self, cx: &Context, op: &Get) -> impl Future<Output = Result<Body>> + Send;

    /// An object's size.
    fn head(&self, cx: &Context, op: &Head) -> impl Future<Output = Result<Stored>> + Send;

    /// Removes an object.
    fn remove(&self, cx: &Context, op: &Remove) -> impl Future<Output = Result<()>> + Send;

    /// Keys with a prefix, sorted.
    fn list(&self, cx: &Context, op: &List) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// Answers if the store does.
    fn check(&self, cx: &Context, op: &Check) -> impl Future<Output = Result<()>> + Send;
}
