//! What a realtime provider implements.

use std::future::Future;

use truststream_kernel::{Context, Features, Result};

use super::{Publish, Reauthorize, Subscribe, Subscription};

/// Realtime.
pub trait RealtimeDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Subscribes.
    ///
    /// # Behavior
    /// Every change that commits after it returns, and that the caller may see, is delivered once
    /// and in order within its key, or the subscription ends with `Gap`.
    fn subscribe(&self, cx: &Context, op: &Subscribe) -> impl Future<Output = Result<Subscription>> + Send;

    /// Changes whose rights a subscription has.
    fn reauthorize(&self, cx: &Context, op: &Reauthorize) -> impl Future<Output = Result<()>> + Send;

    /// Sends a message to all subscribers of a topic; returns when it is in their queues.
    fn publish(&self, cx: &Context, op: &Publish) -> impl Future<Output = Result<()>> + Send;
}
