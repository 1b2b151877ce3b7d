//! Updates.

use rusqlite::params_from_iter;
use rusqlite::types::ToSqlOutput;
use truststream_kernel::{Result, Value};
use truststream_services::database::{Column, Page, PolicyCommand, Table, TableName, Update, errors};
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
        let values = self.first_row(op, table)?;
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
        let readable = op.query.picks() || op.options.returning.reads(table);
        self.check(&op.table, &written, PolicyCommand::Update, readable)?;
        Ok(written)
    }

    /// The row of a body that is set. A large one is not held besides.
    fn first_row<'t>(&self, op: &Update, table: &'t Table) -> Result<Rows<'t>> {
        let (named, wanted) = ((&op.table, table), op.columns.as_deref());
        if let Some(body) = op.values.in_memory() {
            return Rows::read(self, named, body, wanted, op.missing_default);
        }
        let mut first = Rows { columns: Vec::new(), rows: Vec::new() };
        Rows::each(self, named, &op.values, (wanted, op.missing_default), |columns, row| {
            match row {
                None => first.columns = columns.to_vec(),
                Some(row) if first.rows.is_empty() => first.rows.push(row),
                Some(_) => {}
            }
            Ok(())
        })?;
        Ok(first)
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
        let columns: Vec<&str> = given.iter().map(|(column, _)| column.name.as_str()).collect();
        let before = self.fired((name, table), ("update", true), &columns)?;
        let after = self.fired((name, table), ("update", false), &columns)?;
        if before.is_none() && after.is_none() {
            return self.set_all((name, table), given, targets);
        }
        given.iter().try_for_each(|(column, _)| errors::refuse_changed(column))?;
        let (mut ids, mut left) = (Vec::new(), Vec::new());
        for target in targets {
            let old = self.cells(name, table, *target)?;
            let id = match &before {
                Some(before) => self.set_fired((name, table), given, (*target, &old), before)?,
                None => self.set_all((name, table), given, &[*target])?.pop(),
            };
            ids.extend(id);
            left.extend(id.map(|id| (old, id)));
        }
        if let Some(after) = after {
            for (old, id) in left {
                self.fire_after(&after, &self.cells(name, table, id)?, &old)?;
            }
        }
        Ok(ids)
    }

    /// The same by one statement.
    fn set_all(
        &self,
        (name, table): (&TableName, &Table),
        given: &[(&Column, &Option<Value>)],
        targets: &[i64],
    ) -> Result<Vec<i64>> {
        let (mut terms, mut cells) = (Vec::new(), Vec::new());
        for (column, value) in given {
            errors::refuse_changed(column)?;
            match value {
                Some(value) => {
                    cells.push(storage::bound(value)?);
                    terms.push((column.name.clone(), format!("?{}", cells.len())));
                }
                None => terms.push((column.name.clone(), format!("({})", self.default(name, column)?))),
            }
        }
        cells.push(ToSqlOutput::Owned(list(targets)));
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
