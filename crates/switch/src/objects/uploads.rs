//! Telling what the way back brought to a platform from what others wrote there.
//!
//! What is uploaded through a platform's API looks like anybody's. The stream that brought it then writes the
//! row with the version that it found, or takes it away, under its own name.

use std::collections::HashSet;

use truststream_kernel::{Result, Row, Value};
use truststream_services::database::{Change, Database};

use super::platform::versions;
use super::{id, objects_table};

/// Changes of files that a platform made, until it is known for whom.
#[derive(Default)]
pub(crate) struct Uploads {
    changes: Vec<Change>,
    /// Versions that the stream wrote down.
    versions: HashSet<String>,
    /// Rows that it wrote, and those that it took away.
    kept: HashSet<String>,
    removed: HashSet<String>,
}

impl Uploads {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Keeps changes of files, and hands out all others.
    pub(crate) fn take_out(&mut self, changes: Vec<Change>) -> Vec<Change> {
        let (of_files, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.table == objects_table());
        for change in of_files {
            match (&change.origin, &change.new) {
                (None, _) => self.changes.push(change),
                (Some(_), Some(row)) => {
                    self.versions.extend(version(row));
                    self.kept.extend(id(row));
                }
                (Some(_), None) => self.removed.extend(change.old.as_ref().and_then(id)),
            }
        }
        others
    }

    /// Those that others made; `serving` is the side whose files were brought.
    pub(crate) async fn strays(mut self, serving: &Database) -> Result<Vec<Change>> {
        let (written, kept, removed) = (&self.versions, &self.kept, &self.removed);
        self.changes.retain(|change| match &change.new {
            Some(row) => {
                let is_removed = id(row).is_some_and(|id| removed.contains(&id));
                !is_removed && version(row).is_none_or(|version| !written.contains(&version))
            }
            // A file with another name goes, and comes with it.
            None => change.old.as_ref().and_then(id).is_none_or(|id| !kept.contains(&id)),
        });
        let gone: Vec<_> = self.changes.iter().filter(|change| change.new.is_none()).collect();
        let gone: Vec<_> = gone.into_iter().filter_map(|change| id(change.old.as_ref()?)).collect();
        let there = versions(serving, gone).await?;
        // What is not there on the side that serves is nobody's loss.
        self.changes.retain(|change| {
            change.new.is_some() || change.old.as_ref().and_then(id).is_some_and(|id| there.contains_key(&id))
        });
        Ok(self.changes)
    }
}

fn version(row: &Row) -> Option<String> {
    row.get("version").and_then(Value::to_text)
}
