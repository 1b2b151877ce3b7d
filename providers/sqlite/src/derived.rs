//! What of the file follows from its tables: views and triggers.

use rusqlite::Connection;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, Table, TableKind};
use truststream_sql::expression::Scope;
use truststream_sql::quote::quote;
use truststream_sql::schema::view_query;
use truststream_sql::sqlite::trigger::after;

use crate::ddl::materialized;
use crate::error::convert;
use crate::schema::physical;

/// Takes away what follows from the tables of a catalog, so that they can be changed.
pub(crate) fn remove(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for trigger in triggers(conn)? {
        conn.execute_batch(&format!("DROP TRIGGER {}", quote(&trigger))).map_err(convert)?;
    }
    for (name, _) in catalog.tables.iter().filter(|(_, table)| is_view(table)) {
        conn.execute_batch(&format!("DROP VIEW IF EXISTS {}", physical(name))).map_err(convert)?;
    }
    Ok(())
}

/// Makes it anew.
pub(crate) fn create(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for (name, view) in catalog.tables.iter().filter(|(_, table)| table.kind != TableKind::Table) {
        if view.is_materialized() {
            // It may read views, and views may read it.
            materialized::create(conn, catalog, name, view)?;
            continue;
        }
        let query = view_query(&Scope::new(catalog), view).map_err(Error::from)?;
        conn.execute_batch(&format!("CREATE VIEW {} AS {query}", physical(name))).map_err(convert)?;
    }
    // Those of views run in the place of a write.
    for (name, table) in catalog.tables.iter().filter(|(_, table)| table.kind == TableKind::Table) {
        for trigger in after(catalog, name, table)? {
            conn.execute_batch(&trigger).map_err(convert)?;
        }
    }
    Ok(())
}

/// Whether a table is a view that shows what there is at the moment.
fn is_view(table: &Table) -> bool {
    table.kind != TableKind::Table && !table.is_materialized()
}

/// The triggers of migrations, which are named by table, trigger and event; those of the feed are its
/// own matter, and those that another program made are that program's.
fn triggers(conn: &Connection) -> Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name NOT GLOB 'truststream_*'
               AND (name GLOB '*/*/insert' OR name GLOB '*/*/update' OR name GLOB '*/*/delete')";
    conn.prepare(sql)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(convert)
}
