//! Behaviour put around any provider of any service: one file a layer.
//!
//! A layer is written once for all services. Their order is data, decided by the runtime's plan
//! (trace, metrics, guard, retry, route, breaker, timeout, faults, driver) and folded with [`fold`];
//! nobody else puts layers around drivers.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod breaker;
mod config;
mod faults;
mod guard;
mod metrics;
mod observed;
mod retry;
mod timeout;
mod trace;

#[cfg(test)]
mod fake;

use std::sync::Arc;

use truststream_kernel::{Layer, Service, Stack};

pub use breaker::{Breaker, BreakerConfig, BreakerLayer, BreakerState, BreakerStatus, Transition};
pub use config::LayersConfig;
pub use faults::{Applied, Failure, Fault, FaultId, Faults, FaultsConfig};
pub use guard::GuardLayer;
pub use metrics::MetricsLayer;
pub use observed::{Observed, ObservedKind};
pub use retry::{RetryConfig, RetryLayer};
pub use timeout::{TimeoutConfig, TimeoutLayer};
pub use trace::TraceLayer;

/// A stack with layers around it; the first of them becomes the outermost.
pub fn fold<S: Service>(stack: &Stack<S>, layers: &[&dyn Layer<S>]) -> Stack<S> {
    layers.iter().rev().fold(Arc::clone(stack), |inner, layer| layer.wrap(inner))
}
