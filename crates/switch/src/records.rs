//! Switches as the control store keeps them.

use std::sync::Arc;

use truststream_kernel::{Error, Result};

use crate::{ControlStore, Record};

const PREFIX: &str = "switch/";

/// Stored switches.
pub(crate) struct Records {
    control: Arc<dyn ControlStore>,
}

impl Records {
    pub(crate) fn new(control: Arc<dyn ControlStore>) -> Self {
        Records { control }
    }

    /// The latest switch.
    pub(crate) async fn latest(&self) -> Result<Option<Record>> {
        let Some((_, entry)) = self.control.list(PREFIX).await?.pop() else { return Ok(None) };
        serde_json::from_value(entry.value)
            .map(Some)
            .map_err(|error| Error::internal("the stored switch can't be read").with_source(error))
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
