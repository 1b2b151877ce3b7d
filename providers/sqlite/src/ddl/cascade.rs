//! What foreign keys do while a migration writes rows: SQLite's own are off then, so that tables can
//! be made anew under them.

use rusqlite::Connection;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, ForeignKey, ReferentialAction, Table, TableKind, TableName};
use truststream_sql::quote::{literal, quote};
use truststream_sql::sqlite::numbers;

use crate::error::convert;
use crate::schema::physical;

/// The beginning of the names of these triggers.
const PREFIX: &str = "truststream_key_";

/// Makes triggers that do what the foreign keys of a catalog say.
pub(crate) fn create(conn: &Connection, catalog: &Catalog) -> Result<()> {
    let tables = catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table);
    let keys = tables.flat_map(|(name, table)| table.foreign_keys.iter().map(move |key| (name, table, key)));
    for (at, (name, table, key)) in keys.enumerate() {
        let child = Child { catalog, name, table, key };
        for (event, action) in [("DELETE", key.on_delete), ("UPDATE", key.on_update)] {
            let Some(body) = child.body(event, action)? else { continue };
            let of = if event == "UPDATE" {
                format!(" OF {}", list(&key.referenced_columns))
            } else {
                String::new()
            };
            let when = if event == "UPDATE" { format!(" WHEN {}", child.moved()) } else { String::new() };
            let sql = format!(
                "CREATE TEMP TRIGGER {PREFIX}{at}_{event} AFTER {event}{of} ON main.{} FOR EACH ROW{when} \
                 BEGIN {body}; END",
                physical(&key.references)
            );
            conn.execute_batch(&sql).map_err(convert)?;
        }
    }
    Ok(())
}

/// Takes them away.
pub(crate) fn remove(conn: &Connection) -> Result<()> {
    let names: Vec<String> = conn
        .prepare("SELECT name FROM sqlite_temp_master WHERE type = 'trigger' AND name GLOB ?1")
        .and_then(|mut statement| statement.query_map([format!("{PREFIX}*")], |row| row.get(0))?.collect())
        .map_err(convert)?;
    for name in names {
        conn.execute_batch(&format!("DROP TRIGGER temp.{}", quote(&name))).map_err(convert)?;
    }
    Ok(())
}

fn list(columns: &[String]) -> String {
    columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
}

/// A table that refers to another.
struct Child<'c> {
    catalog: &'c Catalog,
    name: &'c TableName,
    table: &'c Table,
    key: &'c ForeignKey,
}

impl Child<'_> {
    fn body(&self, event: &str, action: ReferentialAction) -> Result<Option<String>> {
        let (file, rows) = (physical(self.name), self.rows());
        let pairs = self.key.columns.iter().zip(&self.key.referenced_columns);
        let set = match action {
            // Whether rows are missed is looked at when the migration is over.
            ReferentialAction::NoAction => return Ok(None),
            ReferentialAction::Restrict => {
                let message = format!(
                    "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
                    self.key.references.name, self.key.name, self.name.name
                );
                let sql = format!("SELECT ts_raise('23503', {}) FROM {file} WHERE {rows}", literal(&message));
                return Ok(Some(sql));
            }
            ReferentialAction::Cascade if event == "DELETE" => {
                return Ok(Some(format!("DELETE FROM {file} WHERE {rows}")));
            }
            ReferentialAction::Cascade => {
                pairs.map(|(own, other)| format!("{} = NEW.{}", quote(own), quote(other))).collect::<Vec<_>>()
            }
            ReferentialAction::SetNull => {
                self.key.columns.iter().map(|own| format!("{} = NULL", quote(own))).collect()
            }
            ReferentialAction::SetDefault => {
                self.key.columns.iter().map(|own| self.to_default(own)).collect::<Result<_>>()?
            }
        };
        Ok(Some(format!("UPDATE {file} SET {} WHERE {rows}", set.join(", "))))
    }

    fn to_default(&self, own: &str) -> Result<String> {
        let column = self.table.column(own);
        let default = column.map(|column| numbers::default(self.catalog, (self.name, self.table), column));
        let default = default.transpose().map_err(Error::from)?.flatten();
        Ok(format!("{} = {}", quote(own), default.as_deref().unwrap_or("NULL")))
    }

    /// The rows that refer to the one that goes.
    fn rows(&self) -> String {
        let pairs = self.key.columns.iter().zip(&self.key.referenced_columns);
        let tests = pairs.map(|(own, other)| format!("{} = OLD.{}", quote(own), quote(other)));
        tests.collect::<Vec<_>>().join(" AND ")
    }

    /// Whether the key is another one now.
    fn moved(&self) -> String {
        let columns = self.key.referenced_columns.iter().map(|column| quote(column));
        let tests = columns.map(|column| format!("OLD.{column} IS NOT NEW.{column}"));
        tests.collect::<Vec<_>>().join(" OR ")
    }
}
