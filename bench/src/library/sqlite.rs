//! rusqlite with cached statements, with the settings of the embedded database.

use std::path::Path;

use anyhow::Result;
use rusqlite::{Connection, Row, params};

use super::{LIST, ROWS, SCHEMA, Scenario, Side, Track};

pub struct Raw(Connection);

impl Raw {
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = Connection::open(path)?;
        // The library answers a write when it is on the disk, so the raw driver does too.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(SCHEMA)?;
        let transaction = connection.transaction()?;
        for id in 0..ROWS {
            insert(&transaction, &Track::new(id))?;
        }
        transaction.commit()?;
        Ok(Raw(connection))
    }
}

impl Side for Raw {
    async fn work(&mut self, scenario: Scenario, n: i64) -> Result<usize> {
        Ok(match scenario {
            Scenario::Point => {
                let mut statement =
                    self.0.prepare_cached("select id, title, plays from tracks where id = ?1")?;
                statement.query_row([n % ROWS], track)?.title.len()
            }
            Scenario::List => {
                let mut statement = self.0.prepare_cached(
                    "select id, title, plays from tracks where id >= ?1 order by id limit 50",
                )?;
                let rows = statement.query_map([n % (ROWS - LIST)], track)?;
                rows.collect::<Result<Vec<_>, _>>()?.len()
            }
            Scenario::Insert => insert(&self.0, &Track::new(ROWS + n))?,
        })
    }
}

fn track(row: &Row<'_>) -> rusqlite::Result<Track> {
    Ok(Track { id: row.get(0)?, title: row.get(1)?, plays: row.get(2)? })
}

fn insert(connection: &Connection, track: &Track) -> rusqlite::Result<usize> {
    let mut statement =
        connection.prepare_cached("insert into tracks (id, title, plays) values (?1, ?2, ?3)")?;
    statement.execute(params![track.id, track.title, track.plays])
}
