//! The `[backend.<name>.mirror]` section.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use toml::Spanned;
use truststream_kernel::{Result, units};

use super::Config;

/// `[backend.<name>.mirror]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorConfig {
    /// The backend that follows: it is copied to once, then kept in sync.
    pub to: Spanned<String>,
    /// Reads go there while this backend does not answer. They may be older than what was written last.
    #[serde(default = "yes")]
    pub reads: bool,
    /// It takes this backend's place when that has not answered for so long; never by itself if absent.
    #[serde(default, deserialize_with = "some_time")]
    pub failover: Option<Duration>,
}

fn yes() -> bool {
    true
}

fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    units::time::deserialize(deserializer).map(Some)
}

impl Config {
    /// How the mirror of a backend is configured, if it has one.
    pub fn mirror_of(&self, backend: &str) -> Option<&MirrorConfig> {
        self.file.backend.get(backend)?.mirror.as_ref()
    }

    /// A mirror is another backend that there is.
    pub(super) fn check_mirrors(&self) -> Result<()> {
        for (name, backend) in &self.file.backend {
            let Some(mirror) = &backend.mirror else { continue };
            let to = mirror.to.get_ref();
            let problem = if to == name {
                "a backend is no mirror of itself".to_owned()
            } else if !self.file.backend.contains_key(to) {
                let names: Vec<_> = self.file.backend.keys().map(String::as_str).collect();
                format!("no backend `{to}`; expected one of {}", names.join(", "))
            } else {
                continue;
            };
            let message = format!("backend.{name}.mirror.to: {problem}");
            return Err(self.sources.error_at(Some(mirror.to.span()), &message));
        }
        Ok(())
    }
}
