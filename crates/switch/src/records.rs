//! Switches as the control store keeps them.

use std::sync::Arc;

use truststream_kernel::{Error, Result};

use crate::machine::{Phase, Refused};
use crate::{ControlStore, Record, Routes, StrayLog};

const PREFIX: &str = "switch/";

const MIRRORS: &str = "mirror/";

const STRAYS: &str = "strays/";

/// Stored switches: what they did. Where the latest one stands is in the stored state, which
/// decides; its record follows.
#[derive(Clone)]
pub(crate) struct Records {
    control: Arc<dyn ControlStore>,
    routes: Routes,
}

impl Records {
    pub(crate) fn new(control: Arc<dyn ControlStore>, routes: Routes) -> Self {
        Records { control, routes }
    }

    /// The latest switch.
    pub(crate) async fn latest(&self) -> Result<Option<Record>> {
        let Some((_, entry)) = self.control.list(PREFIX).await?.pop() else { return Ok(None) };
        let mut record: Record = serde_json::from_value(entry.value)
            .map_err(|error| Error::internal("the stored switch can't be read").with_source(error))?;
        let stage = self.routes.stored().await?.switch;
        match stage.filter(|stage| stage.id == record.id) {
            Some(stage) => {
                record.phase = stage.phase;
                record.paused = stage.paused;
            }
            // It was recorded, and then the process ended before anything was begun.
            None => record.phase = Phase::Aborted,
        }
        Ok(Some(record))
    }

    /// The latest mirror.
    pub(crate) async fn mirror(&self) -> Result<Option<Record>> {
        let Some((_, entry)) = self.control.list(MIRRORS).await?.pop() else { return Ok(None) };
        let record = serde_json::from_value(entry.value);
        record
            .map(Some)
            .map_err(|error| Error::internal("the stored mirror can't be read").with_source(error))
    }

    /// What was written directly to the side that served before a switch.
    pub(crate) async fn strays(&self, id: u64) -> Result<Option<StrayLog>> {
        let Some(entry) = self.control.get(&format!("{STRAYS}{id:010}")).await? else { return Ok(None) };
        let log = serde_json::from_value(entry.value);
        log.map(Some).map_err(|error| Error::internal("the stored strays can't be read").with_source(error))
    }

    /// Stores that.
    pub(crate) async fn save_strays(&self, id: u64, log: &StrayLog) -> Result<()> {
        let key = format!("{STRAYS}{id:010}");
        let version = self.control.get(&key).await?.map_or(0, |entry| entry.version);
        let value = serde_json::to_value(log)
            .map_err(|error| Error::internal("the strays can't be stored").with_source(error))?;
        self.control.put(&key, value, version).await
    }

    /// Stores a switch, or a mirror, as it is now.
    pub(crate) async fn save(&self, record: &Record) -> Result<()> {
        if !self.routes.leads() {
            return Err(Refused::NotLeading.into());
        }
        let prefix = if record.mirror { MIRRORS } else { PREFIX };
        let key = format!("{prefix}{:010}", record.id);
        let version = self.control.get(&key).await?.map_or(0, |entry| entry.version);
        let value = serde_json::to_value(record)
            .map_err(|error| Error::internal("the switch can't be stored").with_source(error))?;
        self.control.put(&key, value, version).await
    }
}
