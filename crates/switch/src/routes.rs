//! The route as it is stored and as it is in force.

use std::sync::Arc;

use truststream_kernel::{Error, Result};

use crate::{ControlStore, Gate, Route};

const KEY: &str = "route";

/// Changes the stored route and the gate together: first what is durable, then what is in force.
#[derive(Clone)]
pub struct Routes {
    control: Arc<dyn ControlStore>,
    gate: Arc<Gate>,
}

impl Routes {
    /// The stored route and a gate that has it in force.
    pub fn new(control: Arc<dyn ControlStore>, gate: Arc<Gate>) -> Self {
        Routes { control, gate }
    }

    /// The stored route; `first` is stored if there is none yet.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn load(control: &dyn ControlStore, first: Route) -> Result<Route> {
        if let Some(entry) = control.get(KEY).await? {
            return read(entry.value);
        }
        control.put(KEY, write(&first)?, 0).await?;
        Ok(first)
    }

    /// The gate.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The route as it is stored, whatever is in force here.
    ///
    /// # Errors
    /// Whatever the control store reports.
    pub async fn stored(&self) -> Result<Route> {
        match self.control.get(KEY).await? {
            Some(entry) => read(entry.value),
            None => Err(Error::internal("there is no stored route")),
        }
    }

    /// Puts the route that was found stored into force.
    ///
    /// # Errors
    /// `Conflict` when it is not of the next epoch.
    pub fn adopt(&self, stored: Route) -> Result<()> {
        self.gate.change(stored)
    }

    /// Replaces the route by one of the next epoch.
    ///
    /// # Errors
    /// `Conflict` (`BACKEND_007`) when someone else changed it first; the gate then keeps its route.
    pub async fn change(&self, next: Route) -> Result<()> {
        let version = match self.control.get(KEY).await? {
            None => 0,
            Some(entry) => {
                if read(entry.value)?.epoch + 1 != next.epoch {
                    return Err(crate::lost(KEY));
                }
                entry.version
            }
        };
        self.control.put(KEY, write(&next)?, version).await?;
        self.gate.change(next)
    }
}

fn read(value: serde_json::Value) -> Result<Route> {
    serde_json::from_value(value)
        .map_err(|error| Error::internal("the stored route can't be read").with_source(error))
}

fn write(route: &Route) -> Result<serde_json::Value> {
    serde_json::to_value(route)
        .map_err(|error| Error::internal("the route can't be stored").with_source(error))
}
