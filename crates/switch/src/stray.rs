//! What is written directly to the database that served before: seen in its feed, never ignored.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use truststream_kernel::{ErrorKind, Result, Row};
use truststream_services::database::{
    Applied, AppliedPosition, Apply, Change, ChangeKind, Changes, Database, Position, TableName,
};

use crate::follow::Follower;
use crate::machine::reaches;
use crate::objects::Uploads;
use crate::records::Records;
use crate::shared::Shared;
use crate::{Record, Stray, Switcher};

/// How often the feed of the side that served before is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// How often it is stored how far that is, when nothing was found.
const STORED_EVERY: Duration = Duration::from_secs(10);

/// Changes read at once.
const BATCH: usize = 1000;

/// Changes set down at most; those beyond are counted.
const KEPT: usize = 1000;

/// How the names of the streams begin that bring strays to the side that serves.
pub(crate) const STREAM: &str = "stray-";

/// Whether a stream brings what was written directly to a side that served before: to everybody who
/// follows the changes of the side that serves, these are news.
pub fn is_stray(origin: &str) -> bool {
    origin.starts_with(STREAM)
}

/// What was written directly to the side that served before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StrayLog {
    /// How far its feed was looked at.
    pub position: Option<Position>,
    /// Changes found.
    pub seen: u64,
    /// Those applied to the side that serves.
    pub forwarded: u64,
    /// Those kept back, the first of them.
    pub kept: Vec<StrayChange>,
    /// Those kept back in all.
    pub kept_in_all: u64,
    /// Why some were kept back that were to be applied.
    #[serde(default)]
    pub failure: Option<String>,
    /// How often the feed had been trimmed beyond the place reached: what was written in between is
    /// not known.
    #[serde(default)]
    pub gaps: u64,
}

impl StrayLog {
    /// Keeps changes back: all are counted, the first of them are set down.
    pub(crate) fn keep(&mut self, strays: &[Change]) {
        self.kept_in_all += strays.len() as u64;
        let room = KEPT.saturating_sub(self.kept.len());
        self.kept.extend(strays.iter().take(room).map(StrayChange::of));
    }
}

/// One change that was kept back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrayChange {
    /// The table.
    pub table: TableName,
    /// What was done.
    pub kind: ChangeKind,
    /// When, in microseconds since 1970.
    pub made_at: i64,
    /// The row before, as text by column.
    pub old: Option<Vec<(String, Option<String>)>>,
    /// The row after.
    pub new: Option<Vec<(String, Option<String>)>>,
}

impl StrayChange {
    fn of(change: &Change) -> Self {
        let texts = |row: &Row| {
            row.columns
                .iter()
                .cloned()
                .zip(row.values.iter().map(truststream_kernel::Value::to_text))
                .collect()
        };
        StrayChange {
            table: change.table.clone(),
            kind: change.kind,
            made_at: change.made_at,
            old: change.old.as_ref().map(texts),
            new: change.new.as_ref().map(texts),
        }
    }
}

/// Looks for strays on the side that served before.
pub(crate) struct Strays {
    former: Database,
    /// Whether a platform writes the rows of files there, also of those that are brought by the way back.
    uploads: bool,
    serving: Database,
    stream: String,
    stored: Option<Position>,
    forwards: bool,
    tables: Vec<TableName>,
    at: Position,
    log: StrayLog,
    record: u64,
    records: Records,
    looked: Instant,
    saved: Instant,
}

impl Strays {
    /// Looks if it is time to, and says so in the log where something is found or fails.
    pub(crate) async fn look_now_and_then(&mut self) {
        if self.looked.elapsed() < EVERY {
            return;
        }
        self.looked = Instant::now();
        if let Err(error) = self.look().await {
            tracing::warn!(?error, "the database that served before was not looked at for direct writes");
        }
    }

    /// Looks up to the end of the feed.
    pub(crate) async fn look(&mut self) -> Result<()> {
        let mut uploads = Uploads::default();
        loop {
            let ask = Changes { after: Some(self.at.clone()), limit: BATCH, wait: Duration::ZERO };
            let batch = match self.former.send(ask).await {
                Err(error) if error.code() == "BACKEND_010" => return self.go_on_behind_a_gap().await,
                batch => batch?,
            };
            let changes = if self.uploads { uploads.take_out(batch.changes) } else { batch.changes };
            let known = |change: &Change| change.origin.is_none() && self.tables.contains(&change.table);
            let mut strays: Vec<_> = changes.into_iter().filter(known).collect();
            if batch.at_end {
                strays.extend(std::mem::take(&mut uploads).strays(&self.serving).await?);
            }
            let found = !strays.is_empty();
            if found {
                self.found(strays, &batch.position).await?;
            }
            self.at = batch.position;
            // From here on it is looked at again after a crash: what was taken out must not be passed over.
            if uploads.is_empty() && (found || self.saved.elapsed() > STORED_EVERY) {
                self.save().await?;
            }
            if batch.at_end {
                return Ok(());
            }
        }
    }

    async fn found(&mut self, strays: Vec<Change>, position: &Position) -> Result<()> {
        let count = strays.len() as u64;
        self.log.seen += count;
        tracing::warn!(count, "somebody writes directly to the database that served before");
        if self.forwards {
            match self.forward(strays.clone(), position).await {
                Ok(()) => {
                    self.log.forwarded += count;
                    return Ok(());
                }
                // The side that serves can't take them: a key that is there already, a row that is gone.
                Err(error) if matches!(error.kind(), ErrorKind::Constraint | ErrorKind::AlreadyExists) => {
                    self.log.failure = Some(error.message().to_owned());
                }
                Err(error) => return Err(error),
            }
        }
        self.log.keep(&strays);
        Ok(())
    }

    async fn forward(&mut self, changes: Vec<Change>, position: &Position) -> Result<()> {
        let apply = Apply {
            origin: self.stream.clone(),
            expected: self.stored.clone(),
            position: Some(position.clone()),
            rows: Vec::new(),
            changes,
        };
        if self.serving.send(apply).await? == Applied::Done {
            self.stored = Some(position.clone());
        }
        Ok(())
    }

    async fn go_on_behind_a_gap(&mut self) -> Result<()> {
        tracing::warn!(
            "what was written directly to the database that served before is not known for a while"
        );
        let ask = Changes { after: None, limit: 0, wait: Duration::ZERO };
        self.at = self.former.send(ask).await?.position;
        self.log.gaps += 1;
        self.save().await
    }

    async fn save(&mut self) -> Result<()> {
        self.log.position = Some(self.at.clone());
        self.saved = Instant::now();
        self.records.save_strays(self.record, &self.log).await
    }
}

impl Switcher {
    /// What was written directly to the side that served before the latest switch, if anything.
    ///
    /// # Errors
    /// When the control store does not answer.
    pub async fn strays(&self) -> Result<Option<StrayLog>> {
        match self.shared.records.latest().await? {
            Some(record) => self.shared.records.strays(record.id).await,
            None => Ok(None),
        }
    }
}

impl Shared {
    /// What looks for strays of a committed switch, from where its own changes to the former side
    /// ended.
    pub(crate) async fn strays(&self, record: &Record, follower: &Follower) -> Result<Option<Strays>> {
        let handover = self.routes.stored().await?.route.handover;
        let Some(handover) = handover.filter(|handover| handover.from == record.from) else {
            return Ok(None);
        };
        let stream = format!("{STREAM}{}", record.id);
        let serving = follower.source.database.clone();
        let stored = serving.send(AppliedPosition { origin: stream.clone() }).await?;
        let log = self.records.strays(record.id).await?.unwrap_or_default();
        let mut at = log.position.clone().unwrap_or(handover.end);
        // What was applied before the process ended, and not set down.
        if let Some(applied) = stored.as_ref().filter(|applied| reaches(applied, &at)) {
            at = applied.clone();
        }
        let now = Instant::now();
        Ok(Some(Strays {
            former: follower.target.database.clone(),
            uploads: follower.target.files.platform().is_some(),
            serving,
            stream,
            stored,
            forwards: record.options.stray == Stray::Forward,
            tables: record.tables.clone(),
            at,
            log,
            record: record.id,
            records: self.records.clone(),
            looked: now,
            saved: now,
        }))
    }
}
