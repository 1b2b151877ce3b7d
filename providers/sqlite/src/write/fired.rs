//! Writes to tables whose triggers catch errors: their programs run for each row.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, Result, Value};
use truststream_services::database::{Column, Insert, Table, TableName, errors};
use truststream_sql::quote::quote;
use truststream_sql::schema::row_number;
use truststream_sql::sqlite::trigger::fired;

use super::instead::Instead;
use super::{Write, explain};
use crate::access::Access;
use crate::error::convert;
use crate::schema::physical;
use crate::storage;

/// A row as it lies in the file.
type Cells = Vec<Cell>;

impl<'a> Write<'a> {
    /// What the triggers of a table do for each row that an event writes; `None` where they are part of the
    /// statement that writes it. An update fires those of the columns that it names.
    pub(super) fn fired<'v>(
        &self,
        (name, table): (&'v TableName, &'v Table),
        (event, before): (&'static str, bool),
        columns: &[&str],
    ) -> Result<Option<Instead<'v>>>
    where
        'a: 'v,
    {
        if table.triggers.is_empty() {
            return Ok(None);
        }
        let catalog = &self.schema.catalog;
        let all = fired(catalog, table, event, before);
        if all.is_empty() {
            return Ok(None);
        }
        let access = Access::of(self.cx).deeper();
        let mut triggers = Vec::new();
        for one in &all {
            let of = &one.trigger.columns;
            if event == "update" && !of.is_empty() && !of.iter().any(|name| columns.contains(&name.as_str()))
            {
                continue;
            }
            let program = self.scoped(access, |scope, guard| one.program(scope, guard, table, event))?;
            triggers.push((one.trigger, program));
        }
        Ok(Some(Instead { name, view: table, event, triggers }))
    }

    /// Refuses an upsert, for which PostgreSQL fires triggers of inserts and of updates.
    pub(super) fn refuse_upsert(&self, op: &Insert, table: &Table) -> Result<()> {
        let events = [("insert", true), ("insert", false), ("update", true), ("update", false)];
        for event in events {
            if self.fired((&op.table, table), event, &[])?.is_some() {
                let message = format!("an upsert into {}, whose triggers catch errors", op.table);
                return Err(Error::unsupported(message));
            }
        }
        Ok(())
    }

    /// Inserts the row that triggers make of one; `None` if one of them kept it out.
    pub(super) fn insert_fired(
        &self,
        (name, table): (&TableName, &Table),
        given: &[(&Column, &Value)],
        before: &Instead<'_>,
    ) -> Result<Option<i64>> {
        let mut new = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let known = given.iter().find(|(one, _)| one.name == column.name);
            new.push(match known {
                Some((_, value)) => storage::cell(value)?,
                None if column.generated.is_some() => Cell::Null,
                None => self.default_cell(name, column)?,
            });
        }
        let Some(row) = self.fire(before, new, nothing(table))? else { return Ok(None) };
        let cells: Vec<(&Column, Cell)> =
            table.columns.iter().zip(row).filter(|(column, _)| column.generated.is_none()).collect();
        let is_given = |key: &Column| given.iter().any(|(column, _)| column.name == key.name);
        let lacks =
            |key: &&Column| cells.iter().any(|(one, cell)| one.name == key.name && *cell == Cell::Null);
        // SQLite would number it.
        if let Some(key) = row_number(&self.schema.catalog, name, table).filter(lacks)
            && (key.identity.is_none() || is_given(key))
        {
            return Err(errors::null_value(name, &key.name));
        }
        let names: Vec<_> = cells.iter().map(|(column, _)| quote(&column.name)).collect();
        let marks = vec!["?"; names.len()].join(",");
        let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", physical(name), names.join(","));
        self.conn
            .sql
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.execute(params_from_iter(cells.iter().map(|(_, cell)| cell))))
            .map_err(|error| self.explained(error, (name, table), &cells, &[]))?;
        Ok(Some(self.conn.sql.last_insert_rowid()))
    }

    /// Sets columns of a row, as triggers make them: the row id that it has then; `None` if one of them kept
    /// the row as it is.
    pub(super) fn set_fired(
        &self,
        (name, table): (&TableName, &Table),
        given: &[(&Column, &Option<Value>)],
        (target, old): (i64, &Cells),
        before: &Instead<'_>,
    ) -> Result<Option<i64>> {
        let mut new = old.clone();
        for (cell, column) in new.iter_mut().zip(&table.columns) {
            match given.iter().find(|(one, _)| one.name == column.name) {
                Some((_, Some(value))) => *cell = storage::cell(value)?,
                Some((_, None)) => *cell = self.default_cell(name, column)?,
                None => {}
            }
        }
        let Some(row) = self.fire(before, new, old.clone())? else { return Ok(None) };
        let named = |column: &Column| given.iter().any(|(one, _)| one.name == column.name);
        let cells: Vec<(&Column, Cell)> = table
            .columns
            .iter()
            .zip(row)
            .zip(old)
            .filter(|((column, cell), was)| column.generated.is_none() && (named(column) || cell != *was))
            .map(|(changed, _)| changed)
            .collect();
        let sets: Vec<_> = cells.iter().map(|(column, _)| format!("{} = ?", quote(&column.name))).collect();
        let sql = format!("UPDATE {} SET {} WHERE rowid = ? RETURNING rowid", physical(name), sets.join(","));
        let target_cell = Cell::Integer(target);
        let bound = cells.iter().map(|(_, cell)| cell).chain([&target_cell]);
        let run = |bound| -> rusqlite::Result<i64> {
            self.conn.sql.prepare_cached(&sql)?.query_row(params_from_iter(bound), |row| row.get(0))
        };
        run(bound).map(Some).map_err(|error| self.explained(error, (name, table), &cells, &[target]))
    }

    /// Fires triggers after rows were inserted.
    pub(super) fn after_inserts(&self, (name, table): (&TableName, &Table), ids: &[i64]) -> Result<()> {
        let Some(after) = self.fired((name, table), ("insert", false), &[])? else { return Ok(()) };
        for id in ids {
            self.fire_after(&after, &self.cells(name, table, *id)?, &nothing(table))?;
        }
        Ok(())
    }

    /// Those of some rows that triggers before a delete let go, with what they are.
    pub(super) fn let_go(
        &self,
        (name, table): (&TableName, &Table),
        targets: &[i64],
        before: Option<&Instead<'_>>,
    ) -> Result<Vec<(i64, Cells)>> {
        let mut gone = Vec::new();
        for target in targets {
            let old = self.cells(name, table, *target)?;
            if self.lets_go(table, &old, before)? {
                gone.push((*target, old));
            }
        }
        Ok(gone)
    }

    /// Whether no trigger before a delete keeps a row.
    fn lets_go(&self, table: &Table, old: &Cells, before: Option<&Instead<'_>>) -> Result<bool> {
        let Some(before) = before else { return Ok(true) };
        for one in &before.triggers {
            // There is no new row: one that is returned all the same is none.
            let returned = self.fire_one(before, one, (&nothing(table), old))?;
            if returned.is_none_or(|row| row.iter().all(|cell| *cell == Cell::Null)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Fires all triggers after a row was written, whatever they return.
    pub(super) fn fire_after(&self, after: &Instead<'_>, new: &Cells, old: &Cells) -> Result<()> {
        after.triggers.iter().try_for_each(|one| self.fire_one(after, one, (new, old)).map(drop))
    }

    /// Fires triggers after rows were deleted, but for those that are there still.
    pub(super) fn after_deletes(
        &self,
        (name, table): (&TableName, &Table),
        after: &Instead<'_>,
        gone: Vec<(i64, Cells)>,
    ) -> Result<()> {
        for (id, old) in gone {
            if self.meeting(name, &[id], "1")? == 0 {
                self.fire_after(after, &nothing(table), &old)?;
            }
        }
        Ok(())
    }

    fn default_cell(&self, name: &TableName, column: &Column) -> Result<Cell> {
        let sql = format!("SELECT {}", self.default(name, column)?);
        self.conn.sql.query_row(&sql, [], |row| row.get(0)).map_err(convert)
    }

    /// A row of a table.
    pub(super) fn cells(&self, name: &TableName, table: &Table, id: i64) -> Result<Cells> {
        let columns: Vec<_> = table.columns.iter().map(|column| quote(&column.name)).collect();
        let sql = format!("SELECT {} FROM {} WHERE rowid = ?1", columns.join(", "), physical(name));
        let row = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|at| row.get(at)).collect();
        let mut statement = self.conn.sql.prepare_cached(&sql).map_err(convert)?;
        statement.query_row([id], row).map_err(convert)
    }

    /// The error of a row that triggers made.
    fn explained(
        &self,
        error: rusqlite::Error,
        (name, table): (&TableName, &Table),
        cells: &[(&Column, Cell)],
        targets: &[i64],
    ) -> Error {
        let value = |(column, cell): &(&'_ Column, Cell)| storage::value(cell.into(), &column.ty).ok();
        let values: Vec<Option<Value>> = cells.iter().map(value).collect();
        let known =
            cells.iter().zip(&values).filter_map(|((column, _), value)| Some((*column, value.as_ref()?)));
        let given: Vec<(&Column, &Value)> = known.collect();
        explain(self, error, (name, table), &given, targets)
    }
}

/// A row that there is not.
fn nothing(table: &Table) -> Cells {
    vec![Cell::Null; table.columns.len()]
}
