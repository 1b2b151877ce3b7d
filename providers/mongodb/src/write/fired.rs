//! Triggers around writes.

use mongodb::bson::Document;
use truststream_kernel::{Error, Result};

use super::Named;
use super::divided::relation;
use crate::program::{Event, Fired, triggers};
use crate::work::Work;

impl Work {
    /// Fires the triggers before rows are inserted; those that are passed over are left out.
    pub(crate) async fn before_insert(
        &mut self,
        named: Named<'_>,
        rows: Vec<Document>,
    ) -> Result<Vec<Document>> {
        let event = Event { command: "insert", before: true, columns: None };
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(rows);
        }
        let mut kept = Vec::with_capacity(rows.len());
        for mut row in rows {
            let by_name = self.share_of(named.0).is_some();
            let into = if by_name { named.0 } else { relation(named, &row)? };
            if self.fire(named, event, None, Some(&mut row)).await? == Fired::Kept {
                if !by_name && relation(named, &row)? != into {
                    let message = "moving row to another partition during a BEFORE FOR EACH ROW trigger is not supported";
                    return Err(Error::unsupported(message));
                }
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Fires the triggers after rows were inserted.
    pub(crate) async fn after_insert(&mut self, named: Named<'_>, rows: &[Document]) -> Result<()> {
        let event = Event { command: "insert", before: false, columns: None };
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(());
        }
        for row in rows {
            self.fire(named, event, None, Some(&mut row.clone())).await?;
        }
        Ok(())
    }

    /// Fires the triggers before rows are changed: which of them are, the others being what they were.
    pub(crate) async fn before_update(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: &mut [Document],
        columns: Option<&[&str]>,
    ) -> Result<Vec<bool>> {
        let event = Event { command: "update", before: true, columns };
        let mut kept = vec![true; old.len()];
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(kept);
        }
        for (at, (old, new)) in old.iter().zip(new.iter_mut()).enumerate() {
            if self.fire(named, event, Some(old), Some(new)).await? == Fired::Dropped {
                new.clone_from(old);
                kept[at] = false;
            }
        }
        Ok(kept)
    }

    /// Fires the triggers after rows were changed.
    pub(crate) async fn after_update(
        &mut self,
        named: Named<'_>,
        old: &[Document],
        new: &[Document],
        (columns, kept): (Option<&[&str]>, &[bool]),
    ) -> Result<()> {
        let event = Event { command: "update", before: false, columns };
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(());
        }
        for ((old, new), _) in old.iter().zip(new).zip(kept).filter(|(_, kept)| **kept) {
            self.fire(named, event, Some(old), Some(&mut new.clone())).await?;
        }
        Ok(())
    }

    /// Fires the triggers before rows are deleted; those that stay are left out.
    pub(crate) async fn before_delete(
        &mut self,
        named: Named<'_>,
        rows: Vec<Document>,
    ) -> Result<Vec<Document>> {
        let event = Event { command: "delete", before: true, columns: None };
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(rows);
        }
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            if self.fire(named, event, Some(&row), None).await? == Fired::Kept {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    /// Fires the triggers after rows were deleted.
    pub(crate) async fn after_delete(&mut self, named: Named<'_>, rows: &[Document]) -> Result<()> {
        let event = Event { command: "delete", before: false, columns: None };
        if triggers(named.1, event.command, event.before).is_empty() {
            return Ok(());
        }
        for row in rows {
            self.fire(named, event, Some(row), None).await?;
        }
        Ok(())
    }
}
