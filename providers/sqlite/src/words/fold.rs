//! Putting the words of marked rows into their index.

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use truststream_kernel::Result;
use truststream_sql::quote::quote;

use super::kept::kept;
use super::{ROW, Words};

/// So many marked rows are looked at by every search: their words are put into the index at a rest.
const FEW: i64 = 256;
/// Beyond so many, requests wait until some are.
const MANY: i64 = 16_384;
/// Rows whose words are put into the index in one transaction.
const STEP: i64 = 1_000;

/// When words are put into their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Requests wait.
    Busy,
    /// None waits.
    Idle,
    /// None has come for a while.
    Rest,
}

/// What the writing thread does for indexes of words between requests.
#[derive(Debug)]
pub(crate) struct Folding {
    words: Vec<Words>,
}

impl Folding {
    /// Of the indexes that the file has.
    pub(crate) fn of(conn: &Connection) -> Result<Self> {
        Ok(Folding { words: kept(conn)? })
    }

    /// Puts some words into their index if it is time; whether there are more to be put now.
    pub(crate) fn step(&mut self, conn: &Connection, moment: Moment) -> bool {
        let least = match moment {
            Moment::Busy => MANY,
            Moment::Idle => FEW,
            Moment::Rest => 1,
        };
        let done = self.words.iter().find_map(|words| words.step(conn, least).transpose());
        match done {
            None => false,
            Some(Ok(())) => moment != Moment::Busy,
            Some(Err(error)) => {
                tracing::warn!(%error, "words could not be put into their index");
                // Another program that writes is done soon; what else fails would fail again.
                if error.sqlite_error_code() != Some(ErrorCode::DatabaseBusy) {
                    self.words.clear();
                }
                false
            }
        }
    }
}

impl Words {
    /// Puts the words of some marked rows into the index if at least so many are marked.
    fn step(&self, conn: &Connection, least: i64) -> rusqlite::Result<Option<()>> {
        let marks = self.marks();
        let ends = format!("SELECT (SELECT min(mark) FROM {marks}), (SELECT max(mark) FROM {marks})");
        let ends = conn.prepare_cached(&ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = ends else { return Ok(None) };
        if last - first + 1 < least {
            return Ok(None);
        }
        let transaction = Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?;
        let upto = last.min(first + STEP - 1);
        for sql in self.statements() {
            conn.prepare_cached(&sql)?.execute([upto])?;
        }
        transaction.commit().map(Some)
    }

    /// Statements that put the words of the rows marked up to `?1` into the index.
    fn statements(&self) -> Vec<String> {
        let (words, keys, marks) = (self.words(), self.keys(), self.marks());
        let (table, own, kept, of_key) =
            (quote(&self.table), self.columns(ROW), self.kept(""), self.kept("k."));
        let document = &self.document;
        let marked = format!("SELECT {kept} FROM {marks} WHERE mark <= ?1");
        let done = format!("DELETE FROM {marks} WHERE mark <= ?1");
        if self.numbered {
            return vec![
                format!("DELETE FROM {words} WHERE rowid IN ({marked})"),
                format!(
                    "INSERT INTO {words} (rowid, words) SELECT {own}, ts_text_tokens({document}) \
                     FROM {table} AS {ROW} WHERE {own} IN ({marked}) AND {document} IS NOT NULL"
                ),
                done,
            ];
        }
        let is_marked = format!("({of_key}) IN ({marked})");
        let row = format!("SELECT 1 FROM {table} AS {ROW} WHERE ({own}) = ({of_key})");
        vec![
            format!("INSERT OR IGNORE INTO {keys} ({kept}) {marked}"),
            format!(
                "DELETE FROM {words} WHERE rowid IN (SELECT k.number FROM {keys} AS k WHERE {is_marked})"
            ),
            format!("DELETE FROM {keys} AS k WHERE {is_marked} AND NOT EXISTS ({row})"),
            format!(
                "INSERT INTO {words} (rowid, words) SELECT k.number, ts_text_tokens({document}) \
                 FROM {keys} AS k CROSS JOIN {table} AS {ROW} ON ({own}) = ({of_key}) \
                 WHERE {is_marked} AND {document} IS NOT NULL"
            ),
            done,
        ]
    }
}
