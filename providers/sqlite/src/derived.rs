//! What of the file follows from its tables: views.

use rusqlite::Connection;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Catalog, TableKind};
use truststream_sql::expression::Scope;
use truststream_sql::schema::view_query;

use crate::error::convert;
use crate::schema::physical;

/// Takes away what follows from the tables of a catalog, so that they can be changed.
pub(crate) fn remove(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for (name, _) in catalog.tables.iter().filter(|(_, table)| table.kind != TableKind::Table) {
        conn.execute_batch(&format!("DROP VIEW IF EXISTS {}", physical(name))).map_err(convert)?;
    }
    Ok(())
}

/// Makes it anew.
pub(crate) fn create(conn: &Connection, catalog: &Catalog) -> Result<()> {
    for (name, view) in catalog.tables.iter().filter(|(_, table)| table.kind != TableKind::Table) {
        let query = view_query(&Scope::new(catalog), view).map_err(Error::from)?;
        conn.execute_batch(&format!("CREATE VIEW {} AS {query}", physical(name))).map_err(convert)?;
    }
    Ok(())
}
