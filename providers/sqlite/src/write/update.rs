//! Updates.

use rusqlite::params_from_iter;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, Page, PolicyCommand, Returning, Table, TableName, Update};
use truststream_sql::quote::quote;
use truststream_sql::sqlite::trigger::before;

use super::{Rows, Write, explain, list};
use crate::access::Access;
use crate::schema::physical;
use crate::storage;

impl Write<'_> {
    /// Changes the rows that the query matches.
    pub(crate) fn update(&self, op: &Update) -> Result<Page> {
        if let Some(view) = self.instead(&op.table, "update")? {
            return self.update_instead(op, &view);
        }
        if let Some(view) = self.through(&op.table)? {
            return self.update_through(op, &view);
        }
        self.table(&op.table)?;
        let written = self
            .updated(op, self.targets(&op.table, &op.query, PolicyCommand::Update, op.options.returning)?)?;
        self.answer(&op.table, &op.query, &written, &op.options)
    }

    /// Changes rows of a table, and gives the row ids they have afterwards.
    pub(super) fn updated(&self, op: &Update, targets: Vec<i64>) -> Result<Vec<i64>> {
        let table = self.table(&op.table)?;
        let columns = op.columns.as_deref();
        let values =
            Rows::read(self.schema, (&op.table, table), &op.values.read()?, columns, op.missing_default)?;
        let Some(row) = values.rows.first().filter(|_| !values.columns.is_empty()) else {
            return Ok(Vec::new());
        };
        let given: Vec<(&Column, &Option<Value>)> = values.columns.iter().copied().zip(row).collect();
        let names: Vec<String> = given.iter().map(|(column, _)| column.name.clone()).collect();
        Access::of(self.cx).may_write(self.schema, &op.table, PolicyCommand::Update, &names)?;
        let written = match targets.is_empty() {
            true => targets,
            false => self.set(&op.table, table, &given, &targets)?,
        };
        let readable = op.query.filter.is_some() || op.options.returning == Returning::Representation;
        self.check(&op.table, &written, PolicyCommand::Update, readable)?;
        Ok(written)
    }

    /// What is set: the cells given, or what triggers make of them.
    fn changes(&self, name: &TableName, table: &Table, cells: &[(String, String)]) -> Result<String> {
        let catalog = &self.schema.catalog;
        if let Some(before) = before(catalog, (name, table), PolicyCommand::Update, cells, None)? {
            let columns: Vec<_> = before.columns.iter().map(|column| quote(column)).collect();
            return Ok(format!("({}) = ({})", columns.join(", "), before.sql));
        }
        let changes: Vec<_> = cells.iter().map(|(name, cell)| format!("{} = {cell}", quote(name))).collect();
        Ok(changes.join(", "))
    }

    /// Sets columns of rows, and gives the row ids they have afterwards.
    pub(super) fn set(
        &self,
        name: &TableName,
        table: &Table,
        given: &[(&Column, &Option<Value>)],
        targets: &[i64],
    ) -> Result<Vec<i64>> {
        let (mut terms, mut cells) = (Vec::new(), Vec::new());
        for (column, value) in given {
            if column.generated.is_some() {
                let message = format!("column \"{}\" can only be updated to DEFAULT", column.name);
                return Err(Error::new(ErrorKind::InvalidInput, "428C9", message));
            }
            match value {
                Some(value) => {
                    cells.push(storage::cell(value)?);
                    terms.push((column.name.clone(), format!("?{}", cells.len())));
                }
                None => terms.push((column.name.clone(), format!("({})", self.default(name, column)?))),
            }
        }
        cells.push(list(targets));
        let sql = format!(
            "UPDATE {} SET {} WHERE rowid IN (SELECT value FROM json_each(?{})) RETURNING rowid",
            physical(name),
            self.changes(name, table, &terms)?,
            cells.len()
        );
        let run = || -> rusqlite::Result<Vec<i64>> {
            let mut statement = self.conn.sql.prepare_cached(&sql)?;
            statement.query_map(params_from_iter(&cells), |row| row.get(0))?.collect()
        };
        run().map_err(|error| {
            let given: Vec<(&Column, &Value)> =
                given.iter().filter_map(|(column, value)| Some((*column, value.as_ref()?))).collect();
            explain(self, error, (name, table), &given, targets)
        })
    }
}
