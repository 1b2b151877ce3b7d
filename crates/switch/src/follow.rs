//! Applying one side's changes to the other, in order, each exactly once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use truststream_kernel::{Error, ErrorKind, Result, Row};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Change, Changes, Database, Describe, Position, TableName,
};

use crate::definitions::REDEFINED;
use crate::digest::{RowDigest, Touched};
use crate::failpoint::Moment;
use crate::hash::Hasher;
use crate::left_out::{LeftOut, RowsOf};
use crate::machine::reaches;
use crate::mutation::Mutation;
use crate::objects::{File, ObjectMover, chunks, comparable_change, objects_table};
use crate::signal::Signal;
use crate::stray::Strays;
use crate::{Options, Record, Side};

/// Code of the error of a batch that another applier has applied.
pub(crate) const STALE: &str = "BACKEND_008";

/// Files that are brought to a platform before it is set down that they are there.
const KEPT_AT_ONCE: usize = 20;

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
    /// The columns that rows may have. Any, if absent.
    columns: Option<HashMap<TableName, HashSet<String>>>,
    stored: Option<Position>,
    at: Position,
    #[cfg(feature = "mutations")]
    before: Vec<Change>,
    objects: ObjectMover,
    /// What was read of the source while both sides are being compared.
    pub(crate) watched: Option<Watched>,
    /// What is written directly to the target, which served before.
    pub(crate) strays: Option<Strays>,
    /// What the target serves, or the source does not: nothing of it is applied.
    left_out: LeftOut,
    /// What clients nevertheless wrote to it on the source.
    pub(crate) aside: Vec<Change>,
    /// The rows that are being compared, if not all.
    pub(crate) only: Option<RowsOf>,
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
        let at = stored.clone().map_or(start, unsealed);
        let objects = ObjectMover::new(source.clone(), target.clone());
        let own = format!("{}/", record.consumer());
        Ok(Follower {
            source,
            target,
            origin,
            own,
            keys,
            columns: None,
            stored,
            at,
            objects,
            watched: None,
            strays: None,
            left_out: LeftOut::Tables(HashSet::new()),
            aside: Vec::new(),
            only: None,
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

    /// Applies no row from now on that has columns which the target has not: they would be lost there.
    pub(crate) async fn expect_columns(&mut self) -> Result<()> {
        let catalog = self.target.database.send(Describe::default()).await?;
        let columns = |name: &TableName| {
            let table = catalog.table(name)?;
            Some((name.clone(), table.columns.iter().map(|column| column.name.clone()).collect()))
        };
        self.columns = Some(self.keys.keys().filter_map(columns).collect());
        Ok(())
    }

    /// Applies nothing of this from now on; what it applied goes up to here.
    pub(crate) fn leave_out(&mut self, left_out: LeftOut) {
        self.left_out = left_out;
    }

    /// Objects moved and their bytes since this was asked last.
    pub(crate) fn take_objects(&mut self) -> (u64, u64) {
        self.objects.take_moved()
    }

    /// Moves all objects there are; `moved` is told how many it were so far, and how many bytes.
    pub(crate) async fn move_objects(
        &mut self,
        manner: (&Options, &Signal),
        moved: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<()> {
        let Some(key) = self.keys.get(&objects_table()) else { return Ok(()) };
        if !self.objects.makes_rows() {
            return self.objects.move_all(key, manner, moved).await;
        }
        let (mut count, mut bytes) = (0, 0);
        let mut chunks = chunks(&self.source, key, manner.0, manner.1);
        while let Some(chunk) = chunks.next().await? {
            for rows in chunk.rows.chunks(KEPT_AT_ONCE) {
                let changes = self.objects.arrive(rows.to_vec()).await?;
                count += changes.iter().filter(|change| change.new.is_some()).count() as u64;
                bytes += changes
                    .iter()
                    .filter_map(|change| File::of(change.new.as_ref()?))
                    .map(|file| file.size())
                    .sum::<u64>();
                self.repair(Vec::new(), changes).await?;
                moved(count, bytes);
                manner.1.check()?;
            }
        }
        Ok(())
    }

    /// Reads and applies one batch; waits at most `wait` for a change.
    pub(crate) async fn step(&mut self, wait: Duration) -> Result<Step> {
        let ask = Changes { after: Some(self.at.clone()), limit: BATCH, wait };
        let batch = self.source.database.send(ask).await?;
        let changes: Vec<Change> = batch
            .changes
            .into_iter()
            .filter(|change| is_to_follow(change, &self.own, &self.keys))
            .filter(|change| {
                let left_out = self.left_out.has(change);
                if left_out && change.origin.is_none() {
                    self.aside.push(change.clone());
                }
                !left_out
            })
            .filter(|change| !(Mutation::DropChange.is_made() && change.mark.sequence % 50 == 0))
            .collect();
        let applied = changes.len() as u64;
        if !changes.is_empty() {
            self.must_hold(&changes)?;
            self.note(&changes);
            let changes = self.objects.before(changes).await?;
            let obsolete = self.objects.obsolete(&changes).await?;
            #[cfg(feature = "mutations")]
            let repeated = std::mem::replace(&mut self.before, changes.clone());
            self.apply(Vec::new(), changes, batch.position.clone()).await?;
            Moment::Batch.pass();
            #[cfg(feature = "mutations")]
            self.apply_again(repeated).await?;
            self.objects.remove(obsolete).await?;
        }
        self.at = batch.position;
        Ok(Step { applied, at_end: batch.at_end })
    }

    /// # Errors
    /// `BACKEND_011` for a row with a column that came after the target was made.
    fn must_hold(&self, changes: &[Change]) -> Result<()> {
        let Some(known) = &self.columns else { return Ok(()) };
        for change in changes {
            let (Some(row), Some(columns)) = (&change.new, known.get(&change.table)) else { continue };
            if let Some(column) = row.columns.iter().find(|column| !columns.contains(*column)) {
                let (from, to) = (&self.source.name, &self.target.name);
                let message =
                    format!("`{from}` has a column that `{to}` lacks: {column} of {}", change.table);
                let hint =
                    format!("it is added to both by a migration; one that was typed is typed in `{to}`, too");
                return Err(Error::new(ErrorKind::Conflict, REDEFINED, message).with_hint(hint));
            }
        }
        Ok(())
    }

    /// Makes rows of the target others where the stream stands; not once another applier was there.
    pub(crate) async fn repair(
        &mut self,
        rows: Vec<(TableName, Vec<Row>)>,
        changes: Vec<Change>,
    ) -> Result<()> {
        self.apply(rows, changes, self.at.clone()).await
    }

    async fn apply(
        &mut self,
        rows: Vec<(TableName, Vec<Row>)>,
        changes: Vec<Change>,
        position: Position,
    ) -> Result<()> {
        let (origin, expected) = (self.origin.clone(), self.stored.clone());
        let apply = Apply { origin, expected, position: Some(position.clone()), rows, changes };
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
            self.at = unsealed(stored.clone());
            self.stored = Some(stored);
        }
        Ok(())
    }

    /// Whether the target, to which another process applies the changes, lacks any of those that the
    /// source has now.
    pub(crate) async fn is_behind(&mut self) -> Result<bool> {
        let ask = AppliedPosition { origin: self.origin.clone() };
        match self.target.database.send(ask).await? {
            // What it had is gone.
            None if self.stored.is_some() => return Ok(true),
            stored if stored != self.stored => {
                self.at = stored.clone().map_or_else(|| self.at.clone(), unsealed);
                self.stored = stored;
            }
            _ => {}
        }
        let ask = Changes { after: Some(self.at.clone()), limit: BATCH, wait: Duration::ZERO };
        let batch = self.source.database.send(ask).await?;
        let is_carried =
            |change: &Change| is_to_follow(change, &self.own, &self.keys) && !self.left_out.has(change);
        if batch.changes.iter().any(is_carried) {
            return Ok(true);
        }
        self.at = batch.position;
        Ok(!batch.at_end)
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

    fn note(&mut self, changes: &[Change]) {
        let Some(watched) = &mut self.watched else { return };
        let (Watched::Touched { table, .. } | Watched::Rows { table, .. }) = &watched;
        let Some(key) = self.keys.get(table) else { return };
        let sides = (&self.source, &self.target);
        let of_table = changes.iter().filter(|change| change.table == *table);
        let of_table: Vec<_> = of_table.map(|change| comparable_change(sides, change)).collect();
        for change in of_table {
            match watched {
                Watched::Touched { touched, .. } => touched.note(key, &change),
                Watched::Rows { digest, .. } => {
                    let is_compared =
                        |row: &&Row| self.only.as_ref().is_none_or(|only| only.has(&change.table, row));
                    change.old.iter().filter(is_compared).for_each(|row| digest.remove(key, row));
                    let new = change.new.iter().filter(is_compared);
                    new.for_each(|row| digest.put(&mut Hasher::new(key), row));
                }
            }
        }
    }
}

/// Whether a change is one of these tables', and not of the streams whose names begin so.
fn is_to_follow(change: &Change, own: &str, keys: &HashMap<TableName, Vec<String>>) -> bool {
    let is_own = change.origin.as_deref().is_some_and(|origin| origin.starts_with(own));
    !is_own && keys.contains_key(&change.table)
}

/// Where a stream stands whose position a failover has sealed that was not made after all.
pub(crate) fn unsealed(stored: Position) -> Position {
    match stored {
        Position::Routed { at, .. } => *at,
        position => position,
    }
}

/// Where a database's feed ends now.
pub(crate) async fn end_of(database: &Database) -> Result<Position> {
    let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
    Ok(database.send(ask).await?.position)
}
