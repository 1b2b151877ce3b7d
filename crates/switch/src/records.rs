//! Switches as the control store keeps them.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use truststream_kernel::{Error, Result};

use crate::ambient::new_name;
use crate::control::LOST;
use crate::gradual::{PartWish, ReadReport, Shown};
use crate::machine::{Phase, Refused};
use crate::{ControlStore, Record, Routes, StrayLog};

const PREFIX: &str = "switch/";

const MIRRORS: &str = "mirror/";

const STRAYS: &str = "strays/";

const WISHES: &str = "wishes/";

const TRIAL: &str = "trial";

const FOUND: &str = "found/";

const PROJECT: &str = "project";

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

    /// What tells this project from others that know of the same backends, and from itself once its
    /// control store was lost: terms begin anew then.
    pub(crate) async fn project(&self) -> Result<String> {
        loop {
            if let Some(name) = self.read(PROJECT).await? {
                return Ok(name);
            }
            match self.control.put(PROJECT, new_name().into(), 0).await {
                // Another process was first.
                Err(error) if error.code() == LOST => {}
                made => made?,
            }
        }
    }

    /// What was written directly to the side that served before a switch.
    pub(crate) async fn strays(&self, id: u64) -> Result<Option<StrayLog>> {
        self.read(&format!("{STRAYS}{id:010}")).await
    }

    /// Stores that.
    pub(crate) async fn save_strays(&self, id: u64, log: &StrayLog) -> Result<()> {
        self.write(&format!("{STRAYS}{id:010}"), log).await
    }

    /// What is asked for of a switch that goes part by part.
    pub(crate) async fn wishes(&self, id: u64) -> Result<VecDeque<PartWish>> {
        Ok(self.read(&format!("{WISHES}{id:010}")).await?.unwrap_or_default())
    }

    /// Stores that.
    pub(crate) async fn save_wishes(&self, id: u64, wishes: &VecDeque<PartWish>) -> Result<()> {
        self.write(&format!("{WISHES}{id:010}"), wishes).await
    }

    /// Stores a switch, or a mirror, as it is now.
    pub(crate) async fn save(&self, record: &Record) -> Result<()> {
        if !self.routes.leads() {
            return Err(Refused::NotLeading.into());
        }
        let prefix = if record.mirror { MIRRORS } else { PREFIX };
        self.write(&format!("{prefix}{:010}", record.id), record).await
    }

    /// The trial of reads that every gateway takes part in.
    pub(crate) async fn trial(&self) -> Result<Option<Shown>> {
        self.read(TRIAL).await
    }

    /// Has every gateway take part in a trial.
    pub(crate) async fn show_trial(&self, shown: &Shown) -> Result<()> {
        if !self.routes.leads() {
            return Err(Refused::NotLeading.into());
        }
        self.write(TRIAL, shown).await
    }

    /// Ends it, and forgets what gateways found.
    pub(crate) async fn hide_trial(&self) -> Result<()> {
        if !self.routes.leads() {
            return Err(Refused::NotLeading.into());
        }
        self.control.remove(TRIAL).await?;
        for (key, _) in self.control.list(FOUND).await? {
            self.control.remove(&key).await?;
        }
        Ok(())
    }

    /// Tells what this gateway found in a trial.
    pub(crate) async fn tell_of(&self, trial: &str, found: &ReadReport) -> Result<()> {
        self.write(&format!("{FOUND}{trial}/{}", self.routes.node().name()), found).await
    }

    /// What gateways found in a trial.
    pub(crate) async fn told_of(&self, trial: &str) -> Result<Vec<ReadReport>> {
        let told = self.control.list(&format!("{FOUND}{trial}/")).await?;
        told.into_iter().map(|(key, entry)| parsed(&key, entry.value)).collect()
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(entry) = self.control.get(key).await? else { return Ok(None) };
        parsed(key, entry.value).map(Some)
    }

    async fn write(&self, key: &str, value: &impl Serialize) -> Result<()> {
        let version = self.control.get(key).await?.map_or(0, |entry| entry.version);
        let value = serde_json::to_value(value)
            .map_err(|error| Error::internal(format!("`{key}` can't be stored")).with_source(error))?;
        self.control.put(key, value, version).await
    }
}

fn parsed<T: DeserializeOwned>(key: &str, value: serde_json::Value) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|error| Error::internal(format!("the stored `{key}` can't be read")).with_source(error))
}
