//! Switches as the control store keeps them.

use std::sync::Arc;

use truststream_kernel::{Error, Result};

use crate::machine::Phase;
use crate::{ControlStore, Record, Routes};

const PREFIX: &str = "switch/";

/// Stored switches: what they did. Where the latest one stands is in the stored state, which
/// decides; its record follows.
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

    /// Stores a switch as it is now.
    pub(crate) async fn save(&self, record: &Record) -> Result<()> {
        let key = format!("{PREFIX}{:010}", record.id);
        let version = self.control.get(&key).await?.map_or(0, |entry| entry.version);
        let value = serde_json::to_value(record)
            .map_err(|error| Error::internal("the switch can't be stored").with_source(error))?;
        self.control.put(&key, value, version).await
    }
}
