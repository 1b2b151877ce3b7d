//! The `[layers]` section of the configuration.

use serde::Deserialize;

use crate::{FaultsConfig, RetryConfig, TimeoutConfig};

/// How layers are tuned; their order is fixed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayersConfig {
    /// Repeats operations that may succeed later.
    pub retry: RetryConfig,
    /// Ends attempts that take too long.
    pub timeout: TimeoutConfig,
    /// What goes wrong on purpose, on every backend.
    pub faults: FaultsConfig,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_left_out_has_its_default() {
        let config: LayersConfig =
            serde_json::from_str(r#"{"retry": {"attempts": 2}, "timeout": {"limit": "250ms"}}"#).unwrap();
        assert_eq!(config.retry, RetryConfig { attempts: 2, ..RetryConfig::default() });
        assert_eq!(config.timeout.limit, Duration::from_millis(250));
        assert!(serde_json::from_str::<LayersConfig>(r#"{"retries": {}}"#).is_err());
    }
}
