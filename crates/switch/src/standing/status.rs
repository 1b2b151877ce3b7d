//! How a mirror stands.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use crate::ambient::now_ms;

/// What a mirror is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MirrorPhase {
    /// Both sides are looked at.
    #[default]
    Starting,
    /// Rows and objects are copied.
    Copying,
    /// Both sides are compared.
    Comparing,
    /// It follows.
    Following,
}

impl MirrorPhase {
    /// The word people read.
    pub fn name(self) -> &'static str {
        match self {
            MirrorPhase::Starting => "starting",
            MirrorPhase::Copying => "copying",
            MirrorPhase::Comparing => "comparing",
            MirrorPhase::Following => "following",
        }
    }
}

/// How a mirror stands.
#[derive(Clone, Debug, Serialize)]
pub struct MirrorStatus {
    /// Its number; another one when it was made anew.
    pub id: u64,
    /// The backend that serves.
    pub from: String,
    /// The one that follows.
    pub to: String,
    /// What it is doing.
    pub phase: MirrorPhase,
    /// Whether it was compared with what it follows: only then it may serve.
    pub verified: bool,
    /// Rows copied so far.
    pub rows: u64,
    /// Changes applied since this process began.
    pub changes: u64,
    /// Writes this process has acknowledged and that are not known to be in the mirror.
    pub behind_writes: u64,
    /// For how long that has been so, in milliseconds; 0 while there is none.
    pub behind_ms: u64,
    /// When it was last known to hold everything, in milliseconds since 1970.
    pub in_sync_ms: Option<u64>,
    /// What keeps it from going on.
    pub note: Option<String>,
    #[serde(skip)]
    pub(super) sync: Option<InSync>,
    /// Changes of the schema that it is known to have, of those this process made.
    #[serde(skip)]
    pub(super) redefined: u64,
}

/// A moment at which a mirror held everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct InSync {
    /// Writes acknowledged by then.
    pub(super) writes: u64,
    pub(super) at: Instant,
}

impl MirrorStatus {
    pub(super) fn new(from: &str, to: &str) -> Self {
        MirrorStatus {
            id: 0,
            from: from.to_owned(),
            to: to.to_owned(),
            phase: MirrorPhase::default(),
            verified: false,
            rows: 0,
            changes: 0,
            behind_writes: 0,
            behind_ms: 0,
            in_sync_ms: None,
            note: None,
            sync: None,
            redefined: 0,
        }
    }

    /// Whether it can stand in for the backend that it follows.
    pub fn is_fit(&self) -> bool {
        self.verified && self.phase == MirrorPhase::Following
    }

    /// With its lag, now that so many writes are acknowledged, and so many changes of the schema.
    pub(super) fn at_this_moment(mut self, acknowledged: u64, redefined: u64) -> Self {
        self.verified &= self.redefined == redefined;
        let Some(sync) = self.sync else { return self };
        self.behind_writes = acknowledged.saturating_sub(sync.writes);
        let ago = sync.at.elapsed();
        self.behind_ms = if self.behind_writes == 0 { 0 } else { millis(ago) };
        self.in_sync_ms = Some(now_ms().saturating_sub(millis(ago)));
        self
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
