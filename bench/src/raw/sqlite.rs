//! rusqlite: a connection a thread for reading, one for writing, cached statements, the settings of the
//! embedded database.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use rusqlite::{Connection, Row, params};

use super::{Agent, Child, Query, schema};
use crate::data::READ_TABLE;

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

pub struct Raw {
    path: PathBuf,
    writer: Mutex<Connection>,
}

impl Raw {
    pub fn open(path: &Path) -> Result<Self> {
        let writer = Connection::open(path)?;
        // TrustStream answers a write when it is on the disk, so the raw driver does too.
        writer.pragma_update(None, "journal_mode", "wal")?;
        writer.pragma_update(None, "synchronous", "full")?;
        writer.execute_batch(&schema())?;
        Ok(Raw { path: path.to_owned(), writer: Mutex::new(writer) })
    }

    /// Reads on the thread it is called on: these reads take microseconds.
    pub fn read(&self, query: &Query<'_>) -> Result<Vec<u8>> {
        READER.with_borrow_mut(|reader| {
            let connection = match reader {
                Some(connection) => connection,
                None => reader.insert(Connection::open(&self.path)?),
            };
            read(connection, query)
        })
    }

    pub fn insert(&self, table: &'static str, agent: &Agent) -> Result<()> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = format!("insert into {table} values (?1, ?2, ?3, ?4, ?5, ?6)");
        let Agent { id, name, category, score, created_at, description } = agent;
        writer.prepare_cached(&sql)?.execute(params![id, name, category, score, created_at, description])?;
        Ok(())
    }

    pub fn insert_children(&self, table: &'static str, children: &[Child]) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction()?;
        for Child { id, parent, text } in children {
            let sql = format!("insert into {table} values (?1, ?2, ?3)");
            transaction.prepare_cached(&sql)?.execute(params![id, parent, text])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn read(connection: &Connection, query: &Query<'_>) -> Result<Vec<u8>> {
    let from = format!("select id, name, category, score, created_at, description from {READ_TABLE}");
    let list = |sql: &str, value: &str, limit: i64| -> Result<Vec<u8>> {
        let mut statement = connection.prepare_cached(sql)?;
        let agents = statement.query_map(params![value, limit], agent)?;
        Ok(serde_json::to_vec(&agents.collect::<Result<Vec<_>, _>>()?)?)
    };
    match query {
        Query::Point(id) => list(&format!("{from} where id = ?1 limit ?2"), id, 1),
        Query::Top(category, limit) => {
            list(&format!("{from} where category = ?1 order by score desc limit ?2"), category, *limit)
        }
        Query::Since(since, limit) => {
            list(&format!("{from} where created_at >= ?1 order by name limit ?2"), since, *limit)
        }
        Query::Embed(category, limit) => {
            let mut statement = connection.prepare_cached(EMBED)?;
            let json: String = statement.query_row(params![category, limit], |row| row.get(0))?;
            Ok(json.into_bytes())
        }
    }
}

const EMBED: &str = "
select json_group_array(json_object('id', id, 'name', name, 'missions', json(missions))) from (
  select a.id, a.name, (
    select json_group_array(json_object('id', m.id, 'title', m.title, 'steps', json((
      select json_group_array(json_object('id', s.id, 'note', s.note)) from steps s where s.mission_id = m.id
    )))) from missions m where m.agent_id = a.id
  ) as missions
  from agents a where a.category = ?1 order by a.score desc limit ?2)";

fn agent(row: &Row<'_>) -> rusqlite::Result<Agent> {
    Ok(Agent {
        id: row.get(0)?,
        name: row.get(1)?,
        category: row.get(2)?,
        score: row.get(3)?,
        created_at: row.get(4)?,
        description: row.get(5)?,
    })
}
