//! Settings of the provider.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of an embedded database.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database file; its folder is made if it is missing.
    pub path: PathBuf,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// Connections kept for reading.
    pub readers: usize,
    /// How long the change feed keeps changes (seconds); 0 keeps them for ever.
    pub feed_retention_s: u64,
    /// The largest result whose estimated total is counted exactly; all are if absent.
    pub estimate_above: Option<u64>,
}

/// Settings of a database in the memory of this process: nothing is on disk, and it is gone with the
/// process.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {
    /// Connections kept for reading.
    pub readers: usize,
    /// How long the change feed keeps changes (seconds); 0 keeps them for ever.
    pub feed_retention_s: u64,
    /// The largest result whose estimated total is counted exactly; all are if absent.
    pub estimate_above: Option<u64>,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        let file = Config::default();
        MemoryConfig { readers: file.readers, feed_retention_s: file.feed_retention_s, estimate_above: None }
    }
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// The disk: a committed write survives loss of power.
    #[default]
    Full,
    /// The operating system: a committed write survives a crash of the process, not of the machine.
    Normal,
}

impl Default for Config {
    fn default() -> Self {
        let readers = std::thread::available_parallelism().map_or(4, |cores| cores.get() * 2);
        Config {
            path: PathBuf::from(".truststream/data.db"),
            synchronous: Synchronous::Full,
            readers,
            feed_retention_s: 3600,
            estimate_above: None,
        }
    }
}
