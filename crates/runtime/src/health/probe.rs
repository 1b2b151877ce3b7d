//! Asking one provider whether it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::histogram;
use truststream_kernel::{BoxFuture, Context, Error, Result};
use truststream_layers::Breaker;

use crate::config::HealthConfig;

/// Sends the request by which a provider is probed.
type Ask = Box<dyn Fn(Context) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// How one provider is asked, and who is told.
pub(crate) struct Probe {
    backend: String,
    service: &'static str,
    breaker: Arc<Breaker>,
    ask: Ask,
}

/// What a provider answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) service: &'static str,
    pub(crate) took: Duration,
    /// Why it counts as a failure, if it does.
    pub(crate) failure: Option<String>,
}

impl Probe {
    /// A probe below the breaker that it feeds: it asks although the breaker is open.
    pub(crate) fn new(backend: &str, service: &'static str, breaker: Arc<Breaker>, ask: Ask) -> Self {
        Probe { backend: backend.to_owned(), service, breaker, ask }
    }

    pub(crate) fn service(&self) -> &'static str {
        self.service
    }

    pub(crate) fn breaker(&self) -> &Arc<Breaker> {
        &self.breaker
    }

    /// Asks, and tells the breaker.
    pub(crate) async fn ask(&self, config: &HealthConfig) -> Answer {
        let began = Instant::now();
        let asked = (self.ask)(Context::system().within(config.timeout));
        // A driver may not look at the deadline while it connects.
        let answer = tokio::time::timeout(config.timeout, asked)
            .await
            .unwrap_or_else(|_| Err(Error::timeout(format!("no answer within {:.0?}", config.timeout))));
        let took = began.elapsed();
        let labels = [("backend", self.backend.clone()), ("service", self.service.to_owned())];
        histogram!("truststream_probe_seconds", &labels).record(took);
        let failure = match answer {
            Ok(()) if took > config.latency => {
                Some(format!("it took {took:.0?} to answer, longer than {:.0?}", config.latency))
            }
            Ok(()) => None,
            Err(error) => Some(error.message().to_owned()),
        };
        match &failure {
            None => self.breaker.succeeded(),
            Some(reason) => self.breaker.failed(reason),
        }
        Answer { service: self.service, took, failure }
    }
}
