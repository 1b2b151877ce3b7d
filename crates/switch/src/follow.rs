//! Applying one side's changes to the other, in order, each exactly once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Change, Changes, Database, Position, TableName,
};

use crate::digest::{RowDigest, Touched};
use crate::failpoint::Moment;
use crate::hash::Hasher;
use crate::machine::reaches;
use crate::mutation::Mutation;
use crate::objects::ObjectMover;
use crate::stray::Strays;
use crate::{Record, Side};

/// Code of the error of a batch that another applier has applied.
pub(crate) const STALE: &str = "BACKEND_008";

/// Changes read at once.
const BATCH: usize = 2000;

/// Reads the feed of `source` and applies it to `target`.
///
/// The position reached is stored in the target, in the same transaction as the changes, and each
/// batch is applied only if the stream stands exactly where this follower believes it does: a
/// second, older follower can't apply anything again.
pub(crate) struct Follower {
    pub(crate) source: Side,
    pub(crate) target: Side,
    origin: String,
    /// Changes of this switch itself, which must not go round in circles.
    own: String,
    keys: HashMap<TableName, Vec<String>>,
    stored: Option<Position>,
    at: Position,
    #[cfg(feature = "mutations")]
    before: Vec<Change>,
    objects: ObjectMover,
    /// What was read of the source while both sides are being compared.
    pub(crate) watched: Option<Watched>,
    /// What is written directly to the target, which served before.
    pub(crate) strays: Option<Strays>,
    /// Tables that the target serves, or the source does not: nothing of them is applied.
    left_out: HashSet<TableName>,
    /// What clients nevertheless wrote to them on the source.
    pub(crate) aside: Vec<Change>,
}

/// What was read of one table of the source, to be brought to the moment that the target is at.
pub(crate) enum Watched {
    /// Sums; what has changed since is remembered.
    Touched {
        /// The table.
        table: TableName,
        /// What changed.
        touched: Touched,
    },
    /// Rows, which a change brings to what they are after it.
    Rows {
        /// The table.
        table: TableName,
        /// Its rows.
        digest: RowDigest,
    },
}

/// What one step of following did.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Changes applied.
    pub(crate) applied: u64,
    /// Nothing more was there.
    pub(crate) at_end: bool,
}

impl Follower {
    /// A follower that goes on where the target says the stream stands, or from `start`.
    pub(crate) async fn resume(
        source: Side,
        target: Side,
        record: &Record,
        origin: String,
        start: Position,
        keys: HashMap<TableName, Vec<String>>,
    ) -> Result<Self> {
        let ask = AppliedPosition { origin: origin.clone() };
        let stored = target.database.send(ask).await?;
        let at = stored.clone().unwrap_or(start);
        let objects = ObjectMover::new(source.clone(), target.clone());
        let own = format!("{}/", record.consumer());
        Ok(Follower {
            source,
            target,
            origin,
            own,
            keys,
            stored,
            at,
            objects,
            watched: None,
            strays: None,
            left_out: HashSet::new(),
            aside: Vec::new(),
            #[cfg(feature = "mutations")]
            before: Vec::new(),
        })
    }

    /// How the names of this switch's streams begin.
    pub(crate) fn streams(&self) -> &str {
        &self.own
    }

    /// Primary keys of the tables that are followed.
    pub(crate) fn keys(&self) -> &HashMap<TableName, Vec<String>> {
        &self.keys
    }

    /// Applies nothing of these tables from now on; what it applied goes up to here.
    pub(crate) fn leave_out(&mut self, tables: HashSet<TableName>) {
        self.left_out = tables;
    }

    /// Objects moved so far and their bytes.
    pub(crate) fn objects(&self) -> &ObjectMover {
        &self.objects
    }

    /// Moves all objects there are.
    pub(crate) async fn move_objects(&mut self) -> Result<()> {
        self.objects.move_all().await
    }

    /// Reads and applies one batch; waits at most `wait` for a change.
    pub(crate) async fn step(&mut self, wait: Duration) -> Result<Step> {
        let ask = Changes { after: Some(self.at.clone()), limit: BATCH, wait };
        let batch = self.source.database.send(ask).await?;
        let changes: Vec<Change> = batch
            .changes
            .into_iter()
            .filter(|change| !change.origin.as_deref().is_some_and(|origin| origin.starts_with(&self.own)))
            .filter(|change| self.keys.contains_key(&change.table))
            .filter(|change| {
                let left_out = self.left_out.contains(&change.table);
                if left_out && change.origin.is_none() {
                    self.aside.push(change.clone());
                }
                !left_out
            })
            .filter(|change| !(Mutation::DropChange.is_made() && change.mark.sequence % 50 == 0))
            .collect();
        let applied = changes.len() as u64;
        if !changes.is_empty() {
            self.note(&changes);
            self.objects.before(&changes).await?;
            let obsolete = self.objects.obsolete(&changes);
            #[cfg(feature = "mutations")]
            let repeated = std::mem::replace(&mut self.before, changes.clone());
            self.apply(changes, batch.position.clone()).await?;
            Moment::Batch.pass();
            #[cfg(feature = "mutations")]
            self.apply_again(repeated).await?;
            self.objects.remove(obsolete).await?;
        }
        self.at = batch.position;
        Ok(Step { applied, at_end: batch.at_end })
    }

    async fn apply(&mut self, changes: Vec<Change>, position: Position) -> Result<()> {
        let apply = Apply {
            origin: self.origin.clone(),
            expected: self.stored.clone(),
            position: Some(position.clone()),
            rows: Vec::new(),
            changes,
        };
        match self.target.database.send(apply).await? {
            Applied::Done => {
                self.stored = Some(position);
                Ok(())
            }
            Applied::Stale => {
                let message = "another process applies the changes of this switch";
                Err(Error::new(ErrorKind::Conflict, STALE, message))
            }
        }
    }

    /// Goes on where the target says the stream stands: of what was applied the reply may be lost.
    pub(crate) async fn look_again(&mut self) -> Result<()> {
        let ask = AppliedPosition { origin: self.origin.clone() };
        if let Some(stored) = self.target.database.send(ask).await? {
            self.at = stored.clone();
            self.stored = Some(stored);
        }
        Ok(())
    }

    /// Past the guard that makes this impossible.
    #[cfg(feature = "mutations")]
    async fn apply_again(&self, changes: Vec<Change>) -> Result<()> {
        if Mutation::ApplyTwice.is_made() && !changes.is_empty() {
            let origin = format!("{}-again", self.origin);
            let again = Apply { origin, expected: None, position: None, rows: Vec::new(), changes };
            self.target.database.send(again).await?;
        }
        Ok(())
    }

    /// How far the source's feed is applied.
    pub(crate) fn at(&self) -> &Position {
        &self.at
    }

    /// Follows up to where the feed ends now, however much is written meanwhile; returns how many
    /// changes were applied.
    pub(crate) async fn catch_up(&mut self) -> Result<u64> {
        let end = end_of(&self.source.database).await?;
        let mut applied = 0;
        loop {
            let step = self.step(Duration::ZERO).await?;
            applied += step.applied;
            if step.at_end || reaches(&self.at, &end) {
                return Ok(applied);
            }
        }
    }

    /// The stream in which rows are repaired; it has no position.
    pub(crate) fn repairs(&self) -> String {
        format!("{}repair", self.own)
    }

    fn note(&mut self, changes: &[Change]) {
        let Some(watched) = &mut self.watched else { return };
        let (Watched::Touched { table, .. } | Watched::Rows { table, .. }) = &watched;
        let Some(key) = self.keys.get(table) else { return };
        let of_table: Vec<_> = changes.iter().filter(|change| change.table == *table).collect();
        for change in of_table {
            match watched {
                Watched::Touched { touched, .. } => touched.note(key, change),
                Watched::Rows { digest, .. } => {
                    change.old.iter().for_each(|row| digest.remove(key, row));
                    change.new.iter().for_each(|row| digest.put(&mut Hasher::new(key), row));
                }
            }
        }
    }
}

/// Where a database's feed ends now.
pub(crate) async fn end_of(database: &Database) -> Result<Position> {
    let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
    Ok(database.send(ask).await?.position)
}
