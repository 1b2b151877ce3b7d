//! Deletes.

use truststream_kernel::Result;
use truststream_services::database::{Delete, Page, PolicyCommand, Table, TableName};

use super::{Write, explain, list};
use crate::schema::physical;

impl Write<'_> {
    /// Deletes the rows that the query matches.
    pub(crate) fn delete(&self, op: &Delete) -> Result<Page> {
        if let Some(view) = self.instead(&op.table, "delete")? {
            return self.delete_instead(op, &view);
        }
        if let Some(view) = self.through(&op.table)? {
            return self.delete_through(op, &view);
        }
        self.table(&op.table)?;
        let targets = self.targets(&op.table, &op.query, PolicyCommand::Delete, op.options.returning)?;
        // What is returned must be read while it is there.
        let page = self.answer(&op.table, &op.query, &targets, &op.options)?;
        self.deleted(&op.table, &targets)?;
        Ok(page)
    }

    /// Deletes rows of a table.
    pub(super) fn deleted(&self, name: &TableName, targets: &[i64]) -> Result<()> {
        let table = self.table(name)?;
        let before = self.fired((name, table), ("delete", true), &[])?;
        let after = self.fired((name, table), ("delete", false), &[])?;
        if before.is_none() && after.is_none() {
            return self.removed((name, table), targets);
        }
        let gone = self.let_go((name, table), targets, before.as_ref())?;
        let ids: Vec<i64> = gone.iter().map(|(id, _)| *id).collect();
        self.removed((name, table), &ids)?;
        after.map_or(Ok(()), |after| self.after_deletes((name, table), &after, gone))
    }

    /// Deletes rows as the engine does it.
    fn removed(&self, (name, table): (&TableName, &Table), targets: &[i64]) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE rowid IN (SELECT value FROM json_each(?))", physical(name));
        self.conn
            .sql
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.execute([list(targets)]))
            .map(drop)
            .map_err(|error| explain(self, error, (name, table), &[], targets))
    }
}
