//! Keeps calls away from a provider that does not answer.

mod config;
mod state;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, ErrorKind, Features, Layer, Operation, Result, Service, Stack,
};

pub use config::BreakerConfig;
pub use state::{Breaker, BreakerState, BreakerStatus, Transition};

/// Feeds a [`Breaker`] with the outcome of every call, and asks it before each.
///
/// Only that a provider can't be reached counts as a failure. What takes too long does not: how long
/// an operation takes is up to whoever asks for it, who must not be able to close a backend to all.
/// Administration always passes: following, copying and repairing are to find a provider as soon as it is back.
pub struct BreakerLayer(pub Arc<Breaker>);

impl<S: Service> Layer<S> for BreakerLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Broken { inner, breaker: Arc::clone(&self.0) })
    }
}

struct Broken<S: Service> {
    inner: Stack<S>,
    breaker: Arc<Breaker>,
}

impl<S: Service> Call<S> for Broken<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(async move {
            if op.info().effect != Effect::Admin {
                self.breaker.admit()?;
            }
            let outcome = self.inner.call(cx, op).await;
            match &outcome {
                Err(error) if is_failure(error) => self.breaker.failed(error.message()),
                // Whoever was in the queue for too long says nothing of the provider.
                Err(error) if error.kind() == ErrorKind::Timeout => {}
                _ => self.breaker.succeeded(),
            }
            outcome
        })
    }
}

fn is_failure(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}
