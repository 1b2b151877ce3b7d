//! How long changes are kept.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::Connection;
use truststream_kernel::{Error, ErrorKind, Result};

use crate::error::convert;

/// How often consumed changes are looked through.
const EVERY: Duration = Duration::from_secs(30);

/// Says how long changes are kept and when it is time to look.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: Duration,
    looked: Mutex<Instant>,
}

impl Retention {
    /// Keeps changes so long; for ever if it is zero.
    pub(crate) fn new(keep: Duration) -> Self {
        Retention { keep, looked: Mutex::new(Instant::now()) }
    }

    /// How long to keep changes, if it is time to look.
    pub(crate) fn due(&self) -> Option<Duration> {
        let mut looked = self.looked.lock();
        if self.keep.is_zero() || looked.elapsed() < EVERY.min(self.keep) {
            return None;
        }
        *looked = Instant::now();
        Some(self.keep)
    }
}

/// Forgets changes older than `keep` at the moment `now`, in microseconds since 1970.
pub(super) fn trim(conn: &Connection, keep: Duration, now: i64) -> Result<()> {
    let before = now.saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX));
    let sql = "DELETE FROM truststream_changes WHERE seq < coalesce(\
               (SELECT seq FROM truststream_changes WHERE made_at >= ?1 ORDER BY seq LIMIT 1), \
               9223372036854775807)";
    conn.execute(sql, [before]).map(drop).map_err(convert)
}

/// Refuses a position whose changes were trimmed. Numbers have no gaps, as a rollback takes its
/// own back: if the first that is kept is not the next one, some were trimmed.
pub(super) fn refuse_gap(conn: &Connection, after: u64) -> Result<()> {
    let end = super::end(conn)?;
    let first: Option<i64> = conn
        .prepare_cached("SELECT min(seq) FROM truststream_changes")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(convert)?;
    if first.map_or(end + 1, i64::unsigned_abs) <= after + 1 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotFound, "BACKEND_010", "the changes after this position were trimmed")
        .with_hint("read the rows anew and follow the feed from its present end, or keep changes longer (feed_retention_s)"))
}
