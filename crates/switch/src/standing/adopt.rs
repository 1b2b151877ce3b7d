//! A switch to the mirror goes on where the mirror stands, and a mirror where a switch has left its
//! target: neither copies anything again.

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::Capture;

use super::Mirrors;
use crate::definitions::is_behind;
use crate::shared::Shared;
use crate::{Phase, Record, Route, Side};

impl Shared {
    /// Goes on with the mirror's stream, if the target of this switch is the mirror; says whether.
    pub(crate) async fn adopt(&self, record: &mut Record, source: &Side) -> Result<bool> {
        let state = self.routes.stored().await?;
        let Some(standby) = state.fit_standby().filter(|standby| standby.to == record.to) else {
            return Ok(false);
        };
        let mirror = self.records.mirror().await?.filter(|mirror| mirror.id == standby.id);
        let Some(mirror) = mirror else { return Ok(false) };
        if is_behind(&self.sides.side(&record.to).await?, source).await? {
            return Ok(false);
        }
        let capture = Capture { consumer: record.consumer(), tables: mirror.tables.clone() };
        source.database.send(capture).await?;
        record.stream = Some(mirror.forward());
        record.tables = mirror.tables;
        record.feed_start = mirror.feed_start;
        Ok(true)
    }
}

impl Mirrors {
    /// Whether a switch to the mirror is under way, which follows in its place.
    pub(super) async fn is_adopted(&self, to: &str) -> Result<bool> {
        let stage = self.shared.routes.stored().await?.switch;
        Ok(stage.is_some_and(|stage| stage.to == to && !stage.phase.is_over()))
    }

    /// The record of a mirror that a finalized switch left with all rows but the last: what was
    /// written since is followed from now on or found by the comparison, which makes it equal.
    ///
    /// # Errors
    /// As long as the switch is not finalized: its way back keeps the mirror in sync.
    pub(super) async fn go_on_after_switch(
        &self,
        route: &Route,
        to: &str,
        id: u64,
        source: &Side,
    ) -> Result<Option<Record>> {
        let Some(switch) = self.shared.records.latest().await? else { return Ok(None) };
        if switch.from != to || switch.to != route.owner {
            return Ok(None);
        }
        match switch.phase {
            Phase::Committed | Phase::Finalizing => {
                let message = format!("switch {} keeps it in sync until it is finalized", switch.id);
                Err(Error::new(ErrorKind::Conflict, "BACKEND_011", message)
                    .with_hint("`truststream switch finalize` ends that, and the way back with it"))
            }
            Phase::Finalized => {
                let mut record = self.new_record(route, to, id);
                record.tables = switch.tables;
                let capture = Capture { consumer: record.consumer(), tables: record.tables.clone() };
                record.feed_start = Some(source.database.send(capture).await?);
                record.enter(Phase::Following);
                self.shared.records.save(&record).await?;
                Ok(Some(record))
            }
            _ => Ok(None),
        }
    }
}
