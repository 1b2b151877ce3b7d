//! The `[health.breaker]` section of the configuration.

use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::units;

/// When a provider is taken for down.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row that open it; 0 never does.
    pub failures: u32,
    /// Share of failures in a window that opens it, from 0 to 1; above 1 never does.
    pub error_rate: f64,
    /// Fewest calls in a window for their share of failures to count.
    pub least_calls: u64,
    /// How long calls are counted together.
    #[serde(with = "units::time")]
    pub window: Duration,
    /// How long it stays open before one call may try.
    #[serde(with = "units::time")]
    pub open: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig {
            failures: 5,
            error_rate: 0.5,
            least_calls: 20,
            window: Duration::from_secs(30),
            open: Duration::from_secs(1),
        }
    }
}
