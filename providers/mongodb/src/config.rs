//! Settings of the provider.

use serde::Deserialize;
use truststream_kernel::Secret;

/// Settings of a database on a MongoDB server.
///
/// The server has to be a replica set (of one member at least): transactions and change streams
/// exist only there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the server is: `mongodb://user:password@host:port/?options`.
    pub url: Secret,
    /// Name of the database; the one in the URL, or else `truststream`.
    #[serde(default)]
    pub database: Option<String>,
    /// Connections kept at most.
    #[serde(default = "pool_size")]
    pub pool_size: u32,
    /// How long to wait for a server (seconds).
    #[serde(default = "connect_timeout_s")]
    pub connect_timeout_s: u64,
}

impl Config {
    /// The usual settings for a server.
    pub fn new(url: impl Into<String>) -> Self {
        Config {
            url: Secret::new(url.into()),
            database: None,
            pool_size: pool_size(),
            connect_timeout_s: connect_timeout_s(),
        }
    }
}

fn pool_size() -> u32 {
    32
}

fn connect_timeout_s() -> u64 {
    10
}
