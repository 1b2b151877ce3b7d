//! Numbers of sequences: counted on the connection that writes, kept with each commit.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Catalog, Sequence, Table, TableName};
use truststream_sql::quote::quote;
use truststream_sql::schema::{row_number, sequence_of};

use crate::connection::Conn;
use crate::error::convert;
use crate::schema::physical;

/// The last number of each sequence, and which of them changed since the last commit.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    last: HashMap<String, i64>,
    changed: HashMap<String, Option<i64>>,
    /// What those were before that began anew in the transaction at hand.
    restarted: Vec<(String, Option<i64>)>,
}

impl Counters {
    /// The next number of a sequence.
    ///
    /// # Errors
    /// 2200H if it is used up.
    pub(crate) fn next(&mut self, name: &str, start: i64, by: i64, limit: Option<i64>) -> Result<i64> {
        let used_up = |limit: i64| {
            let short = name.rsplit('.').next().unwrap_or(name);
            let message = format!("nextval: reached maximum value of sequence \"{short}\" ({limit})");
            Error::new(ErrorKind::InvalidInput, "2200H", message)
        };
        let number = match self.last.get(name) {
            Some(last) => last.checked_add(by).ok_or_else(|| used_up(i64::MAX))?,
            None => start,
        };
        if let Some(limit) = limit.filter(|limit| number > *limit) {
            return Err(used_up(limit));
        }
        self.set(name, number);
        Ok(number)
    }

    /// The number given last.
    pub(crate) fn last(&self, name: &str) -> Option<i64> {
        self.last.get(name).copied()
    }

    /// Lets a sequence go on after a number.
    pub(crate) fn set(&mut self, name: &str, last: i64) {
        self.last.insert(name.to_owned(), last);
        self.changed.insert(name.to_owned(), Some(last));
    }

    /// Lets a sequence go on after a number unless the transaction is undone.
    pub(crate) fn restart(&mut self, name: &str, last: i64) {
        self.restarted.push((name.to_owned(), self.last(name)));
        self.set(name, last);
    }

    /// How many began anew in the transaction at hand.
    pub(crate) fn restarts(&self) -> usize {
        self.restarted.len()
    }

    /// Lets sequences go on as if those beyond so many had not begun anew.
    pub(crate) fn undo(&mut self, kept: usize) {
        while self.restarted.len() > kept
            && let Some((name, last)) = self.restarted.pop()
        {
            match last {
                Some(last) => self.set(&name, last),
                None => self.forget(&name),
            }
        }
    }

    /// A transaction is committed.
    pub(crate) fn settle(&mut self) {
        self.restarted.clear();
    }

    /// Lets a sequence begin anew.
    pub(crate) fn forget(&mut self, name: &str) {
        self.last.remove(name);
        self.changed.insert(name.to_owned(), None);
    }
}

/// Reads the numbers that the file keeps.
pub(crate) fn load(conn: &Conn) -> Result<()> {
    let mut statement = conn.sql.prepare("SELECT name, last FROM truststream_numbers").map_err(convert)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(convert)?;
    let last = rows.collect::<rusqlite::Result<HashMap<String, i64>>>().map_err(convert)?;
    conn.session.count(|counters| counters.last = last);
    Ok(())
}

/// Keeps the numbers that changed in the file.
pub(crate) fn keep(conn: &Conn) -> rusqlite::Result<()> {
    for (name, last) in conn.session.count(|counters| std::mem::take(&mut counters.changed)) {
        match last {
            Some(last) => conn
                .sql
                .prepare_cached("INSERT OR REPLACE INTO truststream_numbers (name, last) VALUES (?1, ?2)")?
                .execute(params![name, last])?,
            None => conn.sql.execute("DELETE FROM truststream_numbers WHERE name = ?1", [name])?,
        };
    }
    Ok(())
}

/// The columns of a table whose numbers come from here, each with its sequence.
fn columns<'t>(
    catalog: &'t Catalog,
    name: &'t TableName,
    table: &'t Table,
) -> impl Iterator<Item = (&'t str, TableName, Sequence)> {
    let by_row = row_number(catalog, name, table).map(|column| column.name.as_str());
    table.columns.iter().filter(move |column| by_row != Some(&column.name)).filter_map(move |column| {
        let (called, sequence) = sequence_of(catalog, name, column)?;
        Some((column.name.as_str(), called, sequence))
    })
}

/// Goes on well beyond the largest number present.
pub(crate) fn advance(
    conn: &Conn,
    catalog: &Catalog,
    name: &TableName,
    table: &Table,
    by: i64,
) -> Result<()> {
    for (column, called, sequence) in columns(catalog, name, table) {
        let sql = format!("SELECT coalesce(max({}), 0) FROM {}", quote(column), physical(name));
        let present: i64 = conn.sql.query_row(&sql, [], |row| row.get(0)).map_err(convert)?;
        let far = present.max(sequence.start).saturating_add(by.saturating_mul(sequence.increment.abs()));
        conn.session.count(|counters| {
            let called = called.to_string();
            if sequence.increment > 0 && counters.last(&called).is_none_or(|last| last < far) {
                counters.set(&called, far);
            }
        });
    }
    Ok(())
}

/// Lets sequences that a catalog is the first to have begin anew.
pub(crate) fn begin(conn: &Conn, before: &Catalog, after: &Catalog) {
    let all = |catalog: &Catalog| -> Vec<TableName> {
        let own = catalog.tables.iter().flat_map(|(name, table)| columns(catalog, name, table));
        own.map(|(_, called, _)| called).chain(catalog.sequences.keys().cloned()).collect()
    };
    let known = all(before);
    for name in all(after).iter().filter(|name| !known.contains(name)) {
        conn.session.count(|counters| counters.forget(&name.to_string()));
    }
}

/// Sets the number that SQLite gives first to the rows of a table.
pub(crate) fn seed(conn: &Connection, table: &str, before_first: i64) -> Result<()> {
    conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", params![table, before_first])
        .map(drop)
        .map_err(convert)
}
