//! The division of a database: how it begins, and how it ends without a commit.

use std::time::Duration;

use truststream_kernel::Result;
use truststream_services::database::Migrations;

use super::parts::parts;
use super::triggers::schema;
use super::{Conduct, PartReport};
use crate::follow::Follower;
use crate::machine::{Act, Division};
use crate::progress::Meter;
use crate::shared::Shared;
use crate::signal::Signal;
use crate::{Record, Side};

/// How long those who follow the change feed have to read what the target served, before that is
/// removed.
const LAST_LOOK: Duration = Duration::from_secs(1);

impl Shared {
    /// Names the parts of the source's database, for as long as nobody serves any of them but the
    /// source.
    pub(crate) async fn divide(&self, record: &mut Record, source: &Side) -> Result<()> {
        if let Some(tenancy) = self.tenancy_of(source, &record.options).await? {
            let tenancy = Box::new(tenancy);
            return self.routes.act(Act::DivideByTenants { tenancy }).await.map(drop);
        }
        let catalog = schema(source).await?;
        let migrations = source.database.send(Migrations).await?;
        let parts = parts(&catalog, &migrations);
        record.report.parts = parts.iter().map(PartReport::of).collect();
        self.routes.act(Act::Divide { parts }).await.map(drop)
    }

    /// The present division, if there is one.
    pub(super) async fn division(&self) -> Result<Option<Division>> {
        Ok(self.routes.stored().await?.route.division)
    }

    /// What brings the target's changes to parts that it serves back to the source.
    pub(super) async fn parts_backward(
        &self,
        record: &Record,
        forward: &Follower,
    ) -> Result<Option<Follower>> {
        let state = self.routes.stored().await?;
        let Some(start) = state.switch.and_then(|stage| stage.armed) else { return Ok(None) };
        let (source, target) = (forward.target.clone(), forward.source.clone());
        let keys = forward.keys().clone();
        let follower = Follower::resume(source, target, record, record.backward(), start, keys).await?;
        Ok(Some(follower))
    }

    /// Returns all parts that the target serves, so that the switch can be given up.
    ///
    /// # Errors
    /// When one of them can't be brought back: the target serves it as before.
    pub(crate) async fn bring_parts_back(&self, record: &mut Record) -> Result<()> {
        let moved = |division: Option<Division>| division.is_some_and(|division| division.has_moved());
        if !moved(self.division().await?) {
            return Ok(());
        }
        if self.unfence().await?.switch.is_some_and(|stage| stage.paused) {
            self.routes.act(Act::Resume).await?;
        }
        let meter = Meter::new(record.id, &record.from, &record.to, record.phase);
        let (_wish, signal) = Signal::new();
        let mut forward = self.forward_follower(record).await?;
        let mut conduct = Conduct::begin(self, record, &mut forward, &meter, &signal).await?;
        while let Some(part) = conduct.moved().first().cloned() {
            conduct.bring_back(&part).await?;
        }
        tokio::time::sleep(LAST_LOOK).await;
        Ok(())
    }
}
