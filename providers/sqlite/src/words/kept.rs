//! The tables of indexes of words, and the triggers that mark what is written.

use rusqlite::Connection;
use truststream_kernel::{Error, Result};
use truststream_services::database::Catalog;
use truststream_sql::quote::{literal, quote};

use super::{Words, all};
use crate::error::convert;

/// Brings the indexes of words to what a catalog says. One that is new, or whose table was made anew,
/// begins with all rows marked.
pub(crate) fn follow(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let (kept, wanted) = (kept(conn)?, all(catalog));
    for old in kept.iter().filter(|old| !wanted.contains(old)) {
        old.remove(conn)?;
    }
    for new in &wanted {
        let known = kept.contains(new);
        if known && new.is_watched(conn)? {
            continue;
        }
        if known {
            new.remove(conn)?;
        }
        new.create(conn)?;
    }
    Ok(())
}

/// The same for a file that is opened, with catalog of its own.
pub(crate) fn begin(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let transaction = conn.unchecked_transaction().map_err(convert)?;
    follow(&transaction, catalog)?;
    transaction.commit().map_err(convert)
}

/// The indexes of words of a file.
pub(super) fn kept(conn: &Connection) -> Result<Vec<Words>> {
    let definitions: Vec<String> = conn
        .prepare_cached("SELECT definition FROM truststream_words ORDER BY name")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(convert)?;
    let read = |text: &String| {
        serde_json::from_str(text)
            .map_err(|error| Error::internal("a kept index of words can't be read").with_source(error))
    };
    definitions.iter().map(read).collect()
}

impl Words {
    fn create(&self, conn: &Connection) -> Result<()> {
        let definition = serde_json::to_string(self)
            .map_err(|error| Error::internal("an index of words can't be stored").with_source(error))?;
        conn.execute(
            "INSERT INTO truststream_words (name, definition) VALUES (?1, ?2)",
            [&self.name, &definition],
        )
        .map_err(convert)?;
        let (words, keys, marks, kept) = (self.words(), self.keys(), self.marks(), self.kept(""));
        let declared: Vec<_> =
            self.key.iter().enumerate().map(|(at, (_, declared))| format!("key{at} {declared}")).collect();
        let declared = declared.join(", ");
        if !self.numbered {
            let sql =
                format!("CREATE TABLE {keys} (number INTEGER PRIMARY KEY, {declared}, UNIQUE ({kept}))");
            conn.execute_batch(&sql).map_err(convert)?;
        }
        let (columns, table) = (self.columns("every"), quote(&self.table));
        conn.execute_batch(&format!(
            "CREATE VIRTUAL TABLE {words} USING fts5(words, content='', contentless_delete=1, detail=none, \
                 tokenize=\"ascii tokenchars '_'\");
             CREATE TABLE {marks} (mark INTEGER PRIMARY KEY, {declared});
             INSERT INTO {marks} ({kept}) SELECT {columns} FROM {table} AS every;"
        ))
        .map_err(convert)?;
        conn.execute_batch(&self.triggers()).map_err(convert)
    }

    /// With what every SQLite has: programs that write to the file directly have no functions of ours.
    fn triggers(&self) -> String {
        let (marks, kept, table) = (self.marks(), self.kept(""), quote(&self.table));
        let (old, new) = (self.columns("OLD"), self.columns("NEW"));
        // The collations of a column are ours too.
        let differs = |column: &String| {
            let column = quote(column);
            format!("OLD.{column} COLLATE BINARY IS NOT NEW.{column}")
        };
        let moved = self.key.iter().map(|(column, _)| differs(column)).collect::<Vec<_>>().join(" OR ");
        let said: String = self.of.iter().map(|column| format!(" OR {}", differs(column))).collect();
        let both = format!("{old} UNION ALL SELECT {new} WHERE {moved}");
        let when = format!("WHEN {moved}{said} ");
        [("insert", "", new), ("update", &when, both), ("delete", "", old)]
            .into_iter()
            .map(|(event, when, keys)| {
                let name = quote(&format!("{}{event}", self.trigger()));
                format!(
                    "CREATE TRIGGER {name} AFTER {event} ON {table} {when}\
                     BEGIN INSERT INTO {marks} ({kept}) SELECT {keys}; END;\n"
                )
            })
            .collect()
    }

    /// How the names of its triggers begin.
    fn trigger(&self) -> String {
        format!("truststream_words/{}/", self.name)
    }

    /// Whether all that is written to its table is marked: triggers go with a table that is made anew.
    fn is_watched(&self, conn: &Connection) -> Result<bool> {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 \
                   AND substr(name, 1, length(?2)) = ?2";
        let found: i64 =
            conn.query_row(sql, [&self.table, &self.trigger()], |row| row.get(0)).map_err(convert)?;
        Ok(found == 3)
    }

    /// Takes it away; its table may be gone.
    fn remove(&self, conn: &Connection) -> Result<()> {
        for event in ["insert", "update", "delete"] {
            let name = quote(&format!("{}{event}", self.trigger()));
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS {name}")).map_err(convert)?;
        }
        let (words, keys, marks, name) = (self.words(), self.keys(), self.marks(), literal(&self.name));
        conn.execute_batch(&format!(
            "DROP TABLE IF EXISTS {words}; DROP TABLE IF EXISTS {keys}; DROP TABLE IF EXISTS {marks};
             DELETE FROM truststream_words WHERE name = {name};"
        ))
        .map_err(convert)
    }
}
