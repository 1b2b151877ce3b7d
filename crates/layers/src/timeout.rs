//! Ends attempts that take too long.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, Features, Layer, Operation, Outcome, Result, Service, Stack,
    units,
};

/// How long one attempt may take.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeoutConfig {
    /// Longest time for one attempt of a read or a write. Administrative operations (migrations,
    /// copying) take as long as they need, unless the caller sets a deadline.
    #[serde(with = "units::time")]
    pub limit: Duration,
}

impl Default for TimeoutConfig {
    fn default() -> Self {
        TimeoutConfig { limit: Duration::from_secs(60) }
    }
}

/// Ends an attempt at the configured limit or the caller's deadline, whichever is earlier. After a
/// write that was ended nobody knows whether it was applied, and the error says so.
#[derive(Clone, Debug, Default)]
pub struct TimeoutLayer {
    config: TimeoutConfig,
}

impl TimeoutLayer {
    /// A layer with the configured limit.
    pub fn new(config: TimeoutConfig) -> Self {
        TimeoutLayer { config }
    }
}

impl<S: Service> Layer<S> for TimeoutLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Limited { inner, limit: self.config.limit })
    }
}

struct Limited<S: Service> {
    inner: Stack<S>,
    limit: Duration,
}

impl<S: Service> Call<S> for Limited<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        let info = op.info();
        let own = (info.effect != Effect::Admin).then_some(self.limit);
        let remaining = cx.remaining();
        let Some(limit) = own.into_iter().chain(remaining).min() else { return self.inner.call(cx, op) };
        if limit.is_zero() {
            let error = Error::timeout(format!("{} was not started: its deadline had passed", info.name));
            return Box::pin(std::future::ready(Err(error)));
        }
        let mut attempt = self.inner.call(cx, op);
        Box::pin(async move {
            // What is answered at once needs no timer.
            if let Poll::Ready(outcome) = poll_fn(|task| Poll::Ready(attempt.as_mut().poll(task))).await {
                return outcome;
            }
            match tokio::time::timeout(limit, attempt).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let outcome =
                        if info.effect == Effect::Read { Outcome::NotApplied } else { Outcome::Unknown };
                    let message = format!("{} took longer than {limit:.0?}", info.name);
                    Err(Error::timeout(message).with_outcome(outcome))
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use truststream_kernel::ErrorKind;

    use super::*;
    use crate::fake::{Fake, FakeOp, admin, read, write};

    async fn run(op: FakeOp, cx: &Context, takes: Duration) -> Result<()> {
        let config = TimeoutConfig { limit: Duration::from_secs(1) };
        TimeoutLayer::new(config).wrap(Fake::slow(takes).stack()).call(cx, &op).await
    }

    const LONG: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn what_is_quick_passes() {
        run(write(), &Context::system(), Duration::from_millis(900)).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_was_ended_may_have_been_applied() {
        let error = run(write(), &Context::system(), LONG).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.code(), error.outcome()),
            (ErrorKind::Timeout, "57014", Outcome::Unknown)
        );
        assert_eq!(error.message(), "write took longer than 1s");
        let error = run(read(), &Context::system(), LONG).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_deadline_counts() {
        let cx = Context { deadline: Some(Instant::now() + Duration::from_millis(300)), ..Context::system() };
        let start = tokio::time::Instant::now();
        run(admin(), &cx, LONG).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_millis(400));
        let late = Context { deadline: Some(Instant::now()), ..Context::system() };
        let error = run(write(), &late, Duration::ZERO).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::NotApplied);
    }

    #[tokio::test(start_paused = true)]
    async fn administration_takes_its_time() {
        run(admin(), &Context::system(), LONG).await.unwrap();
    }
}
