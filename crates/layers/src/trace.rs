//! A span and an event for every call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{Instrument, Level, debug, debug_span, enabled, warn};
use truststream_kernel::{
    BoxFuture, Call, Context, Error, ErrorKind, Features, Layer, Operation, Result, Service, Stack,
};

/// Puts each call in a span with the service, operation, provider and trace, and says at its end
/// how it went. Failures of the provider itself are warnings with their cause; what callers do
/// wrong is told at debug level only, and never with its arguments.
#[derive(Clone, Debug)]
pub struct TraceLayer {
    provider: &'static str,
}

impl TraceLayer {
    /// Traces what the named provider answers.
    pub fn new(provider: &'static str) -> Self {
        TraceLayer { provider }
    }
}

impl<S: Service> Layer<S> for TraceLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Traced { inner, provider: self.provider })
    }
}

struct Traced<S: Service> {
    inner: Stack<S>,
    provider: &'static str,
}

impl<S: Service> Call<S> for Traced<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        // Who does not listen does not pay.
        if !enabled!(Level::WARN) {
            return self.inner.call(cx, op);
        }
        let span = debug_span!(
            "call",
            service = S::NAME,
            op = op.info().name,
            provider = self.provider,
            trace = cx.trace.as_deref()
        );
        let answer = async move {
            let start = Instant::now();
            let outcome = self.inner.call(cx, op).await;
            match &outcome {
                Ok(_) => debug!(elapsed = ?start.elapsed(), "answered"),
                Err(error) => report::<S>(op, self.provider, error, start.elapsed()),
            }
            outcome
        };
        Box::pin(answer.instrument(span))
    }
}

fn report<S: Service>(op: &S::Op, provider: &'static str, error: &Error, elapsed: Duration) {
    let (op, kind, code) = (op.info().name, error.kind().name(), error.code());
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Configuration => {
            warn!(service = S::NAME, op, provider, kind, code, ?elapsed, "failed: {error:?}");
        }
        _ => debug!(kind, code, ?elapsed, "refused: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::fake::{Fake, read};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Log;

        fn make_writer(&'a self) -> Log {
            self.clone()
        }
    }

    /// What is logged at a level while a call fails with `error`.
    fn logged(level: Level, error: impl Fn() -> Error + Send + Sync + 'static) -> String {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .without_time()
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let stack = TraceLayer::new("some").wrap(Fake::failing(1, error).stack());
            let cx = Context { trace: Some("abc".into()), ..Context::system() };
            let _ = futures::executor::block_on(stack.call(&cx, &read()));
        });
        let bytes = log.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_callers_do_wrong_is_for_debugging_only() {
        let refused = || Error::permission_denied("permission denied for table t");
        let log = logged(Level::DEBUG, refused);
        for part in
            ["service=\"fake\"", "op=\"read\"", "provider=\"some\"", "trace=\"abc\"", "refused", "42501"]
        {
            assert!(log.contains(part), "{part} is missing in {log}");
        }
        assert_eq!(logged(Level::WARN, refused), "");
    }

    #[test]
    fn failures_of_the_provider_are_warnings_with_their_cause() {
        let failed = || Error::internal("no answer").with_source("disk on fire");
        let log = logged(Level::WARN, failed);
        for part in ["WARN", "service=\"fake\"", "op=\"read\"", "no answer", "caused by: disk on fire"] {
            assert!(log.contains(part), "{part} is missing in {log}");
        }
    }
}
