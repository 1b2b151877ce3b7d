//! Closing the database of the side that does not serve, to writers that know of no route.
//!
//! The gate holds what comes through TrustStream; this holds the rest: programs that write to the
//! database directly, and whatever was on its way there when the route changed.

use std::collections::HashMap;
use std::time::Duration;

use truststream_kernel::{Error, Result};
use truststream_services::database::{DatabaseFeature, Fence, FenceStep, TableName};

use crate::follow::Follower;
use crate::objects::objects_table;
use crate::shared::Shared;
use crate::{Record, Route, Side, Stray};

/// What is closed, and for whom it is open all the same.
#[derive(Clone, Debug)]
pub(crate) struct Enclosure {
    tables: Vec<TableName>,
    streams: String,
}

impl Enclosure {
    /// The tables of a switch, open to the streams of this switch.
    pub(crate) fn of(record: &Record) -> Self {
        Enclosure { tables: record.tables.clone(), streams: record.streams() }
    }

    /// The same, of the keys and the name of a follower.
    pub(crate) fn of_tables(keys: &HashMap<TableName, Vec<String>>, streams: &str) -> Self {
        let mut tables: Vec<_> = keys.keys().cloned().collect();
        // Whoever locks several tables does so in one order.
        tables.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
        Enclosure { tables, streams: streams.to_owned() }
    }

    /// Does a step on a side whose engine can close tables; on others nothing.
    pub(crate) async fn step(&self, side: &Side, epoch: u64, step: FenceStep) -> Result<()> {
        let mut tables = self.tables.clone();
        // What the stream brings to a platform's files is written by the platform: nothing tells that from what
        // its other callers upload.
        tables.retain(|table| side.files.platform().is_none() || *table != objects_table());
        if tables.is_empty() || !can_be_closed(side) {
            return Ok(());
        }
        let streams = self.streams.clone();
        side.database.send(Fence { tables, streams, epoch, step }).await
    }
}

/// Whether the engine of a side can refuse direct writers.
pub(crate) fn can_be_closed(side: &Side) -> bool {
    side.database.stack().features().supported().has(DatabaseFeature::Fences)
}

/// Whether somebody who writes did not end in time, so that it is tried again later.
pub(crate) fn is_busy(error: &Error) -> bool {
    error.code() == "55P03"
}

/// What a cut-over does to the databases of both sides. Each step is done again by whoever goes on,
/// and one that comes late does nothing.
pub(crate) struct Closing {
    enclosure: Enclosure,
    source: Side,
    target: Side,
    /// The target served before, and is closed.
    returns: bool,
    refuses: bool,
}

impl Closing {
    /// Of the sides of a follower, under a route that is open.
    pub(crate) fn of(follower: &Follower, stray: Stray, route: &Route) -> Self {
        let former = route.handover.as_ref().map(|handover| handover.from.as_str());
        Closing {
            enclosure: Enclosure::of_tables(follower.keys(), follower.streams()),
            returns: former == Some(follower.target.name.as_str()),
            source: follower.source.clone(),
            target: follower.target.clone(),
            refuses: stray == Stray::Refuse,
        }
    }

    /// Closes and opens nothing.
    pub(crate) fn of_nothing(self) -> Self {
        Closing { refuses: false, returns: false, ..self }
    }

    /// Makes closing the source quick, while writes go on.
    pub(crate) async fn install(&self, epoch: u64) -> Result<()> {
        if self.refuses {
            self.enclosure.step(&self.source, epoch, FenceStep::Install).await?;
        }
        Ok(())
    }

    /// Closes the source: what was being written directly is done, and comes before the end of its
    /// feed. If nobody goes on it opens by itself after a time, which the database counts: what is
    /// left of that after which the route's fence may be lifted.
    pub(crate) async fn close_source(&self, fenced: &Route, left: Duration) -> Result<()> {
        if self.refuses {
            let step = FenceStep::Close { hold: Some(left) };
            self.enclosure.step(&self.source, fenced.epoch, step).await?;
        }
        Ok(())
    }

    /// Opens a target that served before, under the epoch that is fenced: once it is the owner, the
    /// writes that were held come at once.
    pub(crate) async fn open_target(&self, fenced: &Route) -> Result<()> {
        if self.returns {
            self.enclosure.step(&self.target, fenced.epoch, FenceStep::Open).await?;
        }
        Ok(())
    }

    /// Makes both sides what they were before a fence that is about to be lifted.
    pub(crate) async fn undo(&self, fenced: &Route) {
        let epoch = fenced.epoch + 1;
        if self.refuses
            && let Err(error) = self.enclosure.step(&self.source, epoch, FenceStep::Open).await
        {
            tracing::warn!(?error, "direct writers stay refused until the fence is due");
        }
        if self.returns && self.refuses {
            self.close(&self.target, epoch).await;
        }
    }

    /// Closes the source for as long as the way back is open.
    pub(crate) async fn keep(&self, committed: &Route) {
        if self.refuses {
            self.close(&self.source, committed.epoch).await;
        }
    }

    async fn close(&self, side: &Side, epoch: u64) {
        if let Err(error) = self.enclosure.step(side, epoch, FenceStep::Close { hold: None }).await {
            let backend = &side.name;
            tracing::warn!(
                ?error,
                backend,
                "its database is not closed to direct writers; what they write is reported"
            );
        }
    }
}

impl Shared {
    /// Closes the side that served before a committed switch, if nobody did so after the commit.
    pub(crate) async fn keep_closed(&self, record: &Record) -> Result<()> {
        if record.options.stray != Stray::Refuse {
            return Ok(());
        }
        let epoch = self.routes.stored().await?.route.epoch;
        let side = self.sides.side(&record.from).await?;
        Enclosure::of(record).step(&side, epoch, FenceStep::Close { hold: None }).await
    }

    /// Opens both sides of a switch and removes what was installed for closing them.
    pub(crate) async fn remove_fences(&self, record: &Record) -> Result<()> {
        let epoch = self.routes.stored().await?.route.epoch;
        for name in [&record.from, &record.to] {
            let side = self.sides.side(name).await?;
            Enclosure::of(record).step(&side, epoch, FenceStep::Remove).await?;
        }
        Ok(())
    }

    /// Opens the side that serves, whatever a cut-over left behind that somebody lifted.
    pub(crate) async fn open_owner(&self, route: &Route) -> Result<()> {
        let Some(record) = self.records.latest().await? else { return Ok(()) };
        let side = self.sides.side(&route.owner).await?;
        Enclosure::of(&record).step(&side, route.epoch, FenceStep::Open).await
    }
}
