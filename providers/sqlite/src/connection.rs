//! Opening connections.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use truststream_kernel::Result;

use crate::config::Synchronous;
use crate::error::convert;
use crate::functions;
use crate::place::Place;
use crate::session::Session;

/// Memory for pages, in KiB.
const CACHE: u32 = 32_000;
/// The same while the rows of a large body are written, seldom to a page that was left behind.
const SMALL_CACHE: u32 = 4_000;

/// Statements kept prepared on each connection.
const PREPARED: usize = 512;

/// A connection and the state its functions read.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) sql: Connection,
    pub(crate) session: Session,
}

impl Conn {
    /// The connection that writes.
    pub(crate) fn writer(place: &Place, synchronous: Synchronous) -> Result<Self> {
        let conn = place.open(OpenFlags::default())?;
        let synchronous = if synchronous == Synchronous::Full { "FULL" } else { "NORMAL" };
        conn.execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=4000;
             PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON;"
        ))
        .map_err(convert)?;
        Conn::ready(conn)
    }

    /// Does something with little memory for pages.
    pub(crate) fn in_little_memory<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let resize = |size| self.sql.execute_batch(&format!("PRAGMA cache_size=-{size}")).map_err(convert);
        resize(SMALL_CACHE)?;
        let done = work();
        resize(CACHE)?;
        done
    }

    /// A connection that only reads.
    pub(crate) fn reader(place: &Place) -> Result<Self> {
        let conn = place.open(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // Only for readers: a page in memory is looked for in the log at each use. The writer's own
        // pages are never stale.
        conn.execute_batch("PRAGMA query_only=ON; PRAGMA mmap_size=268435456;").map_err(convert)?;
        let conn = Conn::ready(conn)?;
        conn.session.read_only();
        Ok(conn)
    }

    fn ready(sql: Connection) -> Result<Self> {
        sql.execute_batch(&format!(
            "PRAGMA busy_timeout=5000; PRAGMA cache_size=-{CACHE};
             PRAGMA temp_store=MEMORY; PRAGMA case_sensitive_like=ON;"
        ))
        .map_err(convert)?;
        // Without it a statement is compiled anew whenever a bound value may matter to its plan.
        sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(convert)?;
        sql.set_prepared_statement_cache_capacity(PREPARED);
        let session = Session::default();
        functions::register(&sql, &session).map_err(convert)?;
        Ok(Conn { sql, session })
    }
}
