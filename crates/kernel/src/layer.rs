//! Behaviour put around any provider of any service.

use crate::{Service, Stack};

/// Wraps a stack in one cross-cutting behaviour.
///
/// State (counters, breaker windows, caches) lives in the layer; what `wrap` returns is a cheap
/// projection of it, so a stack can be folded again at any time without losing any.
pub trait Layer<S: Service>: Send + Sync {
    /// The stack with this layer outermost.
    fn wrap(&self, inner: Stack<S>) -> Stack<S>;
}
