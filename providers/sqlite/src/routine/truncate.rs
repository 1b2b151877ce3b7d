//! Functions that empty tables.

use truststream_kernel::{Error, Result};
use truststream_services::database::TableName;
use truststream_sql::sqlite::truncate::{Emptied, emptied};
use truststream_sql::truncate::{Emptying, Truncator, in_use};

use super::program::Run;
use super::refuse_write;
use crate::access::Access;
use crate::error::convert;
use crate::schema::physical;
use crate::write::explain_unseen;

impl Run<'_, '_> {
    /// Empties tables with the rights that hold here.
    pub(super) fn empty(&self, emptying: &Emptying) -> Result<()> {
        refuse_write(self.function, self.read_only, "TRUNCATE TABLE")?;
        let (definer, cx) = (self.function.security_definer, self.write.cx);
        let role = Access::of(cx).role().filter(|_| !definer);
        let who = Truncator { role, owner: definer || cx.identity().is_none() };
        let catalog = &self.write.schema.catalog;
        let names = emptying.targets(catalog, who)?;
        names.iter().try_for_each(|name| self.refuse_in_use(name))?;
        let done = emptied(catalog, &names, emptying.restart)?;
        let conn = self.write.conn;
        // Tables that refer to one another are empty together only.
        let deferred: bool =
            conn.sql.pragma_query_value(None, "defer_foreign_keys", |row| row.get(0)).map_err(convert)?;
        conn.sql.pragma_update(None, "defer_foreign_keys", true).map_err(convert)?;
        let deleted = conn.session.quietly(|| self.delete(&done));
        conn.sql.pragma_update(None, "defer_foreign_keys", deferred).map_err(convert)?;
        deleted?;
        done.restarts.iter().try_for_each(|sql| conn.sql.execute_batch(sql)).map_err(convert)
    }

    fn delete(&self, done: &Emptied) -> Result<()> {
        for (name, sql) in &done.deletes {
            let (_, table, _) = self
                .write
                .schema
                .catalog
                .relation(name)
                .ok_or_else(|| Error::internal(format!("{name} is emptied and not there")))?;
            let deleted = self.write.conn.sql.prepare_cached(sql).and_then(|mut one| one.execute([]));
            deleted.map_err(|error| explain_unseen(self.write, error, (name, table)))?;
        }
        Ok(())
    }

    /// Refuses to empty what a loop around is going over.
    fn refuse_in_use(&self, name: &TableName) -> Result<()> {
        let catalog = &self.write.schema.catalog;
        let rows = catalog.partition(name).map_or(name, |(table, _)| table);
        if self.write.conn.session.is_reading(&physical(rows)) { Err(in_use(name)) } else { Ok(()) }
    }
}
