//! Deletes.

use truststream_kernel::Result;
use truststream_services::database::{Delete, Page, PolicyCommand};

use super::{Write, explain, list};
use crate::schema::physical;

impl Write<'_> {
    /// Deletes the rows that the query matches.
    pub(crate) fn delete(&self, op: &Delete) -> Result<Page> {
        let table = self.table(&op.table)?;
        let targets = self.targets(&op.table, &op.query, PolicyCommand::Delete)?;
        // What is returned must be read while it is there.
        let page = self.answer(&op.table, &op.query, &targets, &op.options)?;
        let sql =
            format!("DELETE FROM {} WHERE rowid IN (SELECT value FROM json_each(?))", physical(&op.table));
        self.conn
            .sql
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.execute([list(&targets)]))
            .map_err(|error| explain(self, error, (&op.table, table), &[], &targets))?;
        Ok(page)
    }
}
