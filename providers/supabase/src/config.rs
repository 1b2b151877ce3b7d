//! What can be configured of a remote project.

use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::{Secret, units};

/// A remote Supabase project (`provider = "supabase"`). Needs the build feature `supabase`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The project's URL, such as `https://abcdefgh.supabase.co`.
    pub url: String,
    /// The service role's key: TrustStream itself acts with it.
    pub service_key: Secret,
    /// The anonymous key: callers without a token act with it.
    #[serde(default)]
    pub anon_key: Option<Secret>,
    /// The secret that the project's tokens are signed with. With it any caller can be told to the
    /// project; without it only those who bring a token of the project's own.
    #[serde(default)]
    pub jwt_secret: Option<Secret>,
    /// Schemas that the project exposes; the first is its default.
    #[serde(default = "public")]
    pub schemas: Vec<String>,
    /// The project lets requests roll back (PostgREST's `db-tx-end`); hosted projects do not.
    #[serde(default)]
    pub rollback: bool,
    /// How long connecting may take.
    #[serde(default = "ten_seconds", with = "units::time")]
    pub connect_timeout: Duration,
}

impl Config {
    /// The defaults for a project.
    pub fn new(url: impl Into<String>, service_key: impl Into<String>) -> Self {
        Config {
            url: url.into(),
            service_key: Secret::new(service_key),
            anon_key: None,
            jwt_secret: None,
            schemas: public(),
            rollback: false,
            connect_timeout: ten_seconds(),
        }
    }
}

fn public() -> Vec<String> {
    vec!["public".to_owned()]
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}
