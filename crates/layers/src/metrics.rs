//! Counts and times every call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};
use parking_lot::RwLock;
use truststream_kernel::{BoxFuture, Call, Context, Features, Layer, Operation, Result, Service, Stack};

const CALLS: &str = "truststream_calls_total";
const SECONDS: &str = "truststream_call_seconds";

/// `truststream_calls_total` and `truststream_call_seconds` with the labels `service`, `op`,
/// `provider` and `kind` (`ok`, or the error's kind). They go to the recorder that is installed when an
/// operation first ends in its way.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    provider: &'static str,
}

impl MetricsLayer {
    /// Measures what the named provider answers.
    pub fn new(provider: &'static str) -> Self {
        describe_counter!(CALLS, Unit::Count, "Operations answered, by outcome");
        describe_histogram!(SECONDS, Unit::Seconds, "Time to answer an operation");
        MetricsLayer { provider }
    }
}

impl<S: Service> Layer<S> for MetricsLayer {
    fn wrap(&self, inner: Stack<S>) -> Stack<S> {
        Arc::new(Measured { inner, provider: self.provider, meters: RwLock::default() })
    }
}

struct Measured<S: Service> {
    inner: Stack<S>,
    provider: &'static str,
    meters: RwLock<Vec<Meter>>,
}

/// What counts and times one operation with one outcome; found once, as a recorder looks it up by
/// all its labels.
struct Meter {
    op: &'static str,
    kind: &'static str,
    calls: Counter,
    seconds: Histogram,
}

impl Meter {
    fn record(&self, elapsed: Duration) {
        self.calls.increment(1);
        self.seconds.record(elapsed);
    }
}

impl<S: Service> Measured<S> {
    fn record(&self, op: &'static str, kind: &'static str, elapsed: Duration) {
        let is_it = |meter: &&Meter| meter.op == op && meter.kind == kind;
        if let Some(meter) = self.meters.read().iter().find(is_it) {
            return meter.record(elapsed);
        }
        let labels = [("service", S::NAME), ("op", op), ("provider", self.provider), ("kind", kind)];
        let (calls, seconds) = (counter!(CALLS, &labels), histogram!(SECONDS, &labels));
        let meter = Meter { op, kind, calls, seconds };
        meter.record(elapsed);
        self.meters.write().push(meter);
    }
}

impl<S: Service> Call<S> for Measured<S> {
    fn features(&self) -> Features {
        self.inner.features()
    }

    fn call<'a>(&'a self, cx: &'a Context, op: &'a S::Op) -> BoxFuture<'a, Result<S::Reply>> {
        Box::pin(async move {
            let start = Instant::now();
            let outcome = self.inner.call(cx, op).await;
            let kind = outcome.as_ref().map_or_else(|error| error.kind().name(), |_| "ok");
            self.record(op.info().name, kind, start.elapsed());
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ::metrics::{
        Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
    };
    use truststream_kernel::Error;

    use super::*;
    use crate::fake::{Fake, read};

    /// Writes down what is recorded.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    struct Note {
        notes: Notes,
        key: String,
    }

    impl Note {
        fn take(&self, what: &str) {
            self.notes.0.lock().unwrap().push(format!("{}{what}", self.key));
        }
    }

    impl CounterFn for Note {
        fn increment(&self, value: u64) {
            self.take(&format!(" +{value}"));
        }

        fn absolute(&self, _: u64) {}
    }

    impl HistogramFn for Note {
        fn record(&self, value: f64) {
            assert!((0.0..1.0).contains(&value));
            self.take("");
        }
    }

    impl Notes {
        fn note(&self, key: &Key) -> Arc<Note> {
            let labels: Vec<&str> = key.labels().map(|label| label.value()).collect();
            Arc::new(Note { notes: self.clone(), key: format!("{} {}", key.name(), labels.join(",")) })
        }
    }

    impl Recorder for Notes {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.note(key))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.note(key))
        }
    }

    #[test]
    fn calls_are_counted_by_outcome() {
        let notes = Notes::default();
        ::metrics::with_local_recorder(&notes, || {
            let fake = Fake::failing(1, || Error::permission_denied("no"));
            let stack = MetricsLayer::new("some").wrap(fake.stack());
            for _ in 0..2 {
                let _ = futures::executor::block_on(stack.call(&Context::system(), &read()));
            }
        });
        assert_eq!(
            *notes.0.lock().unwrap(),
            [
                "truststream_calls_total fake,read,some,permission_denied +1",
                "truststream_call_seconds fake,read,some,permission_denied",
                "truststream_calls_total fake,read,some,ok +1",
                "truststream_call_seconds fake,read,some,ok",
            ]
        );
    }
}
