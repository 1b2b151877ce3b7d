//! Repeats operations that may succeed later, where repeating is safe.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::{
    BoxFuture, Call, Context, Effect, Error, Features, Layer, OpInfo, Operation, Outcome, Result, Retry,
    Service, Stack, units,
};

/// How often and when to repeat.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Attempts in all; 1 never repeats.
    pub attempts: u32,
    /// Wait before the second attempt; doubled for each further one.
    #[serde(with = "units::time")]
    pub first_wait: Duration,
    /// Longest wait between two attempts.
    #[serde(with = "units::time")]
    pub longest_wait: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            attempts: 4,
            first_wait: Duration::from_millis(50),
            longest_wait: Duration::from_secs(2),
        }
    }
}

impl RetryConfig {
    /// The wait after attempt number `attempt`, from 1: exponential, with a random half, so that
    /// callers who failed together do not come back together.
    fn wait(&self, attempt: u32) -> Duration {
        let doubled = self.first_wait.saturating_mul(1u32.checked_shl(attempt - 1).unwrap_or(u32::MAX));
        doubled.min(self.longest_wait).mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }
}

/// Repeats operations whose error says that they may succeed later.
///
/// A write is only repeated if that can't apply it twice: it was not applied, it is idempotent, or
/// it carries an idempotency key. Whoever gives up marks the error as exhausted, so that no layer
/// further out repeats it again.
#[derive(Clone, Debug, Default)]
pub struct RetryLayer {
    config: RetryConfig,
}

impl RetryLayer {
    /// A layer that repeats as configured.
    pub fn new(config: RetryConfig) -> Self {
        RetryLayer { config }
    }
}

impl<S: Service> Layer<S> for RetryLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Retrying { inner, config: self.config.clone() })
    }
}

struct Retrying<S: Service> {
    inner: Stack<S>,
    config: RetryConfig,
}

impl<S: Service> Call<S> for Retrying<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(async move {
            let mut attempt = 1;
            loop {
                let error = match self.inner.call(cx, op).await {
                    Ok(reply) => return Ok(reply),
                    Err(error) => error,
                };
                let Retry::Later(after) = error.retry() else { return Err(error) };
                if !repeat_is_safe(&op.info(), &error, cx) {
                    return Err(error);
                }
                let wait = self.config.wait(attempt).max(after.unwrap_or_default());
                let too_late = cx.remaining().is_some_and(|remaining| remaining <= wait);
                if attempt >= self.config.attempts || too_late {
                    return Err(error.with_retry(Retry::Exhausted));
                }
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
        })
    }
}

fn repeat_is_safe(info: &OpInfo, error: &Error, cx: &Context) -> bool {
    info.effect == Effect::Read
        || info.idempotent
        || error.outcome() == Outcome::NotApplied
        || cx.idempotency_key.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::fake::{Fake, FakeOp, read, write};

    fn config() -> RetryConfig {
        RetryConfig { attempts: 3, ..RetryConfig::default() }
    }

    /// How often a fake that fails `failures` times is called, and what comes out.
    async fn run(
        op: FakeOp,
        cx: &Context,
        failures: u32,
        error: impl Fn() -> Error + Send + Sync + 'static,
    ) -> (u32, Result<()>) {
        let fake = Fake::failing(failures, error);
        let stack = RetryLayer::new(config()).wrap(fake.stack());
        let outcome = stack.call(cx, &op).await;
        (fake.calls(), outcome)
    }

    fn lost() -> Error {
        Error::unavailable("the connection was lost").with_outcome(Outcome::Unknown)
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_repeated_until_it_succeeds() {
        let (calls, outcome) = run(read(), &Context::system(), 2, lost).await;
        assert_eq!((calls, outcome.is_ok()), (3, true));
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_says_so() {
        let (calls, outcome) = run(read(), &Context::system(), 9, lost).await;
        assert_eq!((calls, outcome.unwrap_err().retry()), (3, Retry::Exhausted));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_stays_is_not_repeated() {
        let (calls, outcome) = run(read(), &Context::system(), 9, || Error::invalid_input("no")).await;
        assert_eq!((calls, outcome.unwrap_err().retry()), (1, Retry::Never));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_may_have_been_applied_is_not_repeated() {
        let (calls, outcome) = run(write(), &Context::system(), 1, lost).await;
        assert_eq!(calls, 1);
        assert_eq!(outcome.unwrap_err().outcome(), Outcome::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_is_repeated_where_that_is_safe() {
        let not_applied = || Error::unavailable("no connection");
        assert_eq!(run(write(), &Context::system(), 1, not_applied).await.0, 2);
        assert_eq!(run(write().idempotent(), &Context::system(), 1, lost).await.0, 2);
        let keyed = Context { idempotency_key: Some("k".into()), ..Context::system() };
        assert_eq!(run(write(), &keyed, 1, lost).await.0, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_at_the_deadline() {
        let cx = Context { deadline: Some(Instant::now() + Duration::from_millis(10)), ..Context::system() };
        let (calls, outcome) = run(read(), &cx, 9, lost).await;
        assert_eq!((calls, outcome.unwrap_err().retry()), (1, Retry::Exhausted));
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_long_as_it_is_told() {
        let start = tokio::time::Instant::now();
        let busy = || Error::unavailable("busy").with_retry(Retry::Later(Some(Duration::from_secs(7))));
        let (calls, outcome) = run(read(), &Context::system(), 1, busy).await;
        assert_eq!((calls, outcome.is_ok()), (2, true));
        assert!(start.elapsed() >= Duration::from_secs(7));
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let config = RetryConfig::default();
        for (attempt, longest) in [(1, 50), (2, 100), (3, 200), (20, 2_000), (60, 2_000)] {
            let wait = config.wait(attempt).as_millis();
            assert!((longest / 2..=longest).contains(&wait), "attempt {attempt} waits {wait} ms");
        }
    }
}
