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
/// Only that a provider can't be reached counts as a failure, and only what it did as an answer. What
/// takes too long is no failure: how long an operation takes is up to whoever asks for it, who must
/// not be able to close a backend to all. Administration always passes: following, copying and
/// repairing are to find a provider as soon as it is back.
pub struct BreakerLayer {
    breaker: Arc<Breaker>,
    remembered: &'static [&'static str],
}

impl BreakerLayer {
    /// A layer that feeds this breaker. The `remembered` operations pass it by: they may be answered
    /// from memory, which tells nothing of the provider.
    pub fn new(breaker: Arc<Breaker>, remembered: &'static [&'static str]) -> Self {
        BreakerLayer { breaker, remembered }
    }
}

impl<S: Service> Layer<S> for BreakerLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Broken { inner, breaker: Arc::clone(&self.breaker), remembered: self.remembered })
    }
}

struct Broken<S: Service> {
    inner: Stack<S>,
    breaker: Arc<Breaker>,
    remembered: &'static [&'static str],
}

impl<S: Service> Call<S> for Broken<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        let info = op.info();
        if self.remembered.contains(&info.name) {
            return self.inner.call(cx, op);
        }
        Box::pin(async move {
            if info.effect != Effect::Admin {
                self.breaker.admit()?;
            }
            let outcome = self.inner.call(cx, op).await;
            match &outcome {
                Ok(_) => self.breaker.succeeded(),
                Err(error) if is_failure(error) => self.breaker.failed(error.message()),
                // Whether the provider was asked at all, is not known.
                Err(_) => {}
            }
            outcome
        })
    }
}

fn is_failure(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}
