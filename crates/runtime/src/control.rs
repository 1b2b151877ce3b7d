//! Where routes and switches are kept: beside the data of one process, or where several share them.

mod postgres;
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use truststream_kernel::{Error, Result, Secret, units};
use truststream_switch::{ControlStore, Fleet};

use crate::ServiceInfo;
use postgres::PostgresStore;
pub(crate) use sqlite::SqliteStore;

/// `[control]`: what several gateways share to be one. Without it there is one gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlConfig {
    /// A PostgreSQL database that all gateways reach.
    pub url: Option<Secret>,
    /// A file that all gateways of one machine reach, instead.
    pub path: Option<PathBuf>,
    /// What this gateway is called in reports; the machine's name and the project's folder if absent.
    pub name: Option<String>,
    /// How long a gateway may be silent before the others go on without it. It stops admitting writes
    /// a little earlier.
    #[serde(with = "units::time")]
    pub lease: Duration,
}

impl Default for ControlConfig {
    fn default() -> Self {
        ControlConfig { url: None, path: None, name: None, lease: Fleet::default().lease }
    }
}

/// Shortest lease that is renewed in time on a busy machine.
const SHORTEST: Duration = Duration::from_millis(500);

impl ControlConfig {
    /// Whether several gateways may use it.
    pub(crate) fn is_shared(&self) -> bool {
        self.url.is_some() || self.path.is_some()
    }

    /// Checks what the types can't say.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.url.is_some() && self.path.is_some() {
            return Err("control: give `url` or `path`, not both".to_owned());
        }
        if self.lease < SHORTEST {
            return Err(format!("control.lease: at least {} ms", SHORTEST.as_millis()));
        }
        Ok(())
    }

    /// Opens the store; `state` is the folder of the project's own state.
    ///
    /// # Errors
    /// `Unavailable` when it can't be reached, `Configuration` for a URL that is none.
    pub(crate) async fn open(&self, project: &Path, state: &Path) -> Result<Arc<dyn ControlStore>> {
        Ok(match (&self.url, &self.path) {
            (Some(url), _) => Arc::new(PostgresStore::open(url.clone()).await?),
            (None, Some(path)) => Arc::new(SqliteStore::open_shared(&project.join(path))?),
            (None, None) => Arc::new(SqliteStore::open(&state.join("control.db"))?),
        })
    }

    /// Whether several gateways could serve a backend that runs on these.
    ///
    /// # Errors
    /// `Configuration` for what belongs to one process.
    pub(crate) fn check_backend(&self, name: &str, services: &[ServiceInfo]) -> Result<()> {
        let embedded = |info: &&ServiceInfo| matches!(info.provider.as_str(), "sqlite" | "memory");
        let Some(info) = services.iter().find(embedded).filter(|_| self.is_shared()) else { return Ok(()) };
        let message =
            format!("backend.{name}: {} belongs to one process, and [control] is for several", info.provider);
        Err(Error::configuration(message)
            .with_hint("use a database and an object store that every gateway reaches"))
    }

    /// This gateway as one of several, if it is.
    pub(crate) fn fleet(&self, project: &Path) -> Option<Fleet> {
        let label = || {
            let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
            let folder = project.canonicalize().unwrap_or_else(|_| project.to_owned());
            format!("{}:{}", machine.trim(), folder.display())
        };
        let label = self.name.clone().unwrap_or_else(label);
        self.is_shared().then_some(Fleet { label, lease: self.lease })
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("the control store did not answer")
        .with_source(error)
        .with_hint("look whether the database that [control] names is up and can be reached")
}

fn entry(version: i64, text: &str) -> Result<truststream_switch::Entry> {
    let value = serde_json::from_str(text).map_err(|error| {
        Error::internal("the control store holds text that is not JSON").with_source(error)
    })?;
    Ok(truststream_switch::Entry { version, value })
}
