//! Whether the providers of connected backends answer, found out all the time.

mod probe;

use std::sync::Arc;

use futures::future::join_all;

use crate::backends::Backends;
use crate::config::HealthConfig;

pub(crate) use probe::{Answer, Probe};

/// Probes every connected backend again and again.
pub(crate) async fn watch(backends: Arc<Backends>, config: HealthConfig) {
    loop {
        let connected = backends.all_connected();
        let probes = connected.iter().flat_map(|backend| backend.probes());
        join_all(probes.map(|probe| probe.ask(&config))).await;
        let is_doubtful = |probe: &Probe| probe.breaker().status().failures > 0;
        let any_doubtful = connected.iter().flat_map(|backend| backend.probes()).any(is_doubtful);
        drop(connected);
        let wait = if any_doubtful { config.interval.min(config.breaker.open) } else { config.interval };
        tokio::time::sleep(wait).await;
    }
}

/// Probes the providers of one backend now.
pub(crate) async fn look(backend: &Arc<crate::Backend>, config: &HealthConfig) -> Vec<Answer> {
    join_all(backend.probes().iter().map(|probe| probe.ask(config))).await
}
