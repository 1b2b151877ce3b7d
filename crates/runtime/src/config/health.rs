//! The `[health]` section.

use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::units;
use truststream_layers::BreakerConfig;

/// `[health]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HealthConfig {
    /// Time between two probes of a provider; after a failure it is probed as often as its breaker would
    /// let a call try.
    #[serde(with = "units::time")]
    pub interval: Duration,
    /// Time a probe may take.
    #[serde(with = "units::time")]
    pub timeout: Duration,
    /// A probe that takes longer counts as a failure.
    #[serde(with = "units::time")]
    pub latency: Duration,
    /// When a provider is taken for down.
    pub breaker: BreakerConfig,
}

impl Default for HealthConfig {
    fn default() -> Self {
        HealthConfig {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            latency: Duration::from_secs(1),
            breaker: BreakerConfig::default(),
        }
    }
}
