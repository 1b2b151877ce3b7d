//! Settings of the object stores.

use std::path::PathBuf;

use serde::Deserialize;
#[cfg(feature = "s3")]
use truststream_kernel::Secret;

/// A folder of the machine (`provider = "fs"`).
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FsConfig {
    /// The folder; made if it is not there. Relative paths start from the project.
    pub root: PathBuf,
}

impl Default for FsConfig {
    fn default() -> Self {
        FsConfig { root: PathBuf::from(".truststream/objects") }
    }
}

/// Memory of the process (`provider = "memory"`): gone when it ends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryConfig {}

/// S3 and what speaks its protocol (`provider = "s3"`). Needs the build feature `s3`.
#[cfg(feature = "s3")]
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// The bucket that holds all objects.
    pub bucket: String,
    /// The bucket's region.
    #[serde(default = "default_region")]
    pub region: String,
    /// URL of the service, if it is not AWS.
    pub endpoint: Option<String>,
    /// Prefix of all keys within the bucket.
    #[serde(default)]
    pub root: String,
    /// Access key; from the environment or the machine's role if absent.
    pub access_key_id: Option<Secret>,
    /// Secret of the access key.
    pub secret_access_key: Option<Secret>,
}

#[cfg(feature = "s3")]
fn default_region() -> String {
    "us-east-1".to_owned()
}
