//! Writes to views whose triggers do something else instead.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result, Type, Value};
use truststream_services::database::{
    Column, Delete, Insert, Page, PolicyCommand, Query, Returning, Table, TableName, Trigger, Update,
    WriteOptions,
};
use truststream_sql::sqlite::program::{self, Program};

use super::{Rows, Write};
use crate::access::Access;
use crate::error::convert;
use crate::plan::{self, Purpose, Returned, Source};
use crate::render::in_format;
use crate::routine::{MOST, Run, listed};
use crate::storage;

/// A view or table, and what its triggers do for each row.
pub(super) struct Instead<'v> {
    pub(super) name: &'v TableName,
    pub(super) view: &'v Table,
    pub(super) event: &'static str,
    pub(super) triggers: Vec<(&'v Trigger, Program)>,
}

impl<'a> Write<'a> {
    /// What a view's triggers do for a command; `None` where it has none.
    pub(super) fn instead<'v>(&self, name: &'v TableName, event: &'static str) -> Result<Option<Instead<'v>>>
    where
        'a: 'v,
    {
        let view = self.schema.table(name)?;
        let meant = |trigger: &&Trigger| trigger.events.iter().any(|one| one == event);
        if view.kind == truststream_services::database::TableKind::Table
            || !view.triggers.iter().any(|one| meant(&one))
        {
            return Ok(None);
        }
        let row: Vec<(String, Type)> =
            view.columns.iter().map(|column| (column.name.clone(), column.ty.clone())).collect();
        let access = Access::of(self.cx).deeper();
        let translated = |trigger: &'v Trigger| {
            let function = self.function(trigger)?;
            self.scoped(access, |scope, guard| program::instead(function, scope, guard, &row))
                .map(|program| (trigger, program))
        };
        let triggers = view.triggers.iter().filter(meant).map(translated).collect::<Result<_>>()?;
        Ok(Some(Instead { name, view, event, triggers }))
    }

    fn function(&self, trigger: &Trigger) -> Result<&'a truststream_services::database::Function> {
        let missing = || Error::internal(format!("trigger {} has lost its function", trigger.name));
        let functions = &self.schema.catalog.functions;
        functions.iter().find(|function| function.name == trigger.function).ok_or_else(missing)
    }

    pub(super) fn insert_instead(&self, op: &Insert, instead: &Instead<'_>) -> Result<Page> {
        if op.on_conflict.is_some() {
            let message = format!("view {} has triggers, and no keys for \"on conflict\"", instead.name);
            return Err(Error::unsupported(message));
        }
        let body = op.rows.read()?;
        let named = (instead.name, instead.view);
        let rows = Rows::read(self, named, &body, op.columns.as_deref(), op.missing_default)?;
        self.may(instead, PolicyCommand::Insert, &rows.columns)?;
        let nothing = vec![Cell::Null; instead.view.columns.len()];
        let mut written = Vec::new();
        for row in &rows.rows {
            let new = instead.with(&nothing, &rows.columns, row)?;
            written.extend(self.fire(instead, new, nothing.clone())?);
        }
        let inserted = written.len() as u64;
        let location = location(instead.view, written.first());
        let mut page = self.answer_instead(instead, &op.query, written, &op.options)?;
        page.inserted = Some(inserted);
        if op.options.returning == Returning::HeadersOnly {
            page.location = location?;
        }
        Ok(page)
    }

    pub(super) fn update_instead(&self, op: &Update, instead: &Instead<'_>) -> Result<Page> {
        let body = op.values.read()?;
        let named = (instead.name, instead.view);
        let values = Rows::read(self, named, &body, op.columns.as_deref(), op.missing_default)?;
        self.may(instead, PolicyCommand::Update, &values.columns)?;
        let mut written = Vec::new();
        if let Some(row) = values.rows.first().filter(|_| !values.columns.is_empty()) {
            for old in self.matched(instead, &op.query)? {
                let new = instead.with(&old, &values.columns, row)?;
                written.extend(self.fire(instead, new, old)?);
            }
        }
        self.answer_instead(instead, &op.query, written, &op.options)
    }

    pub(super) fn delete_instead(&self, op: &Delete, instead: &Instead<'_>) -> Result<Page> {
        self.may(instead, PolicyCommand::Delete, &[])?;
        let nothing = vec![Cell::Null; instead.view.columns.len()];
        let mut written = Vec::new();
        for old in self.matched(instead, &op.query)? {
            // Whatever row it returns, the one that was there is the one deleted.
            if self.fire(instead, nothing.clone(), old.clone())?.is_some() {
                written.push(old);
            }
        }
        self.answer_instead(instead, &op.query, written, &op.options)
    }

    fn may(&self, instead: &Instead<'_>, command: PolicyCommand, columns: &[&Column]) -> Result<()> {
        let access = Access::of(self.cx).by_columns();
        access.using(self.schema, instead.name, command)?;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        access.may_write(self.schema, instead.name, command, &names)
    }

    /// The rows of the view that a query matches.
    fn matched(&self, instead: &Instead<'_>, query: &Query) -> Result<Vec<Vec<Cell>>> {
        let all = Query { items: Vec::new(), ..query.clone() };
        let statement =
            plan::statement(self.schema, self.cx, Purpose::Rows, (instead.name, &all), &Source::Table)?;
        let mut prepared = self.conn.sql.prepare_cached(&statement.sql).map_err(convert)?;
        let width = instead.view.columns.len();
        let row = |row: &rusqlite::Row<'_>| (0..width).map(|at| row.get(at)).collect();
        prepared
            .query_map(params_from_iter(&statement.parameters), row)
            .and_then(Iterator::collect)
            .map_err(convert)
    }

    /// Runs the triggers for one row: the row as they leave it, or `None` if one of them keeps it out.
    pub(super) fn fire(
        &self,
        instead: &Instead<'_>,
        new: Vec<Cell>,
        old: Vec<Cell>,
    ) -> Result<Option<Vec<Cell>>> {
        let mut row = new;
        for one in &instead.triggers {
            match self.fire_one(instead, one, (&row, &old))? {
                Some(left) => row = left,
                None => return Ok(None),
            }
        }
        Ok(Some(row))
    }

    /// Runs one of the triggers: the row that it returns.
    pub(super) fn fire_one(
        &self,
        instead: &Instead<'_>,
        (trigger, program): &(&Trigger, Program),
        (new, old): (&[Cell], &[Cell]),
    ) -> Result<Option<Vec<Cell>>> {
        let texts = [
            instead.event.to_uppercase(),
            trigger.name.clone(),
            instead.name.name.clone(),
            instead.name.schema.clone(),
        ];
        let told: Vec<Cell> = new.iter().chain(old).cloned().chain(texts.map(Cell::Text)).collect();
        let run = Run::of_trigger(self, (self.function(trigger)?, program), told);
        Ok(run.rows()?.pop())
    }

    fn answer_instead(
        &self,
        instead: &Instead<'_>,
        query: &Query,
        written: Vec<Vec<Cell>>,
        options: &WriteOptions,
    ) -> Result<Page> {
        let mut page = Page { rows: written.len() as u64, ..Page::default() };
        if options.returning == Returning::Representation {
            if written.len() * instead.view.columns.len() > MOST {
                return Err(Error::new(ErrorKind::TooLarge, "54000", "too many rows written to a view"));
            }
            let names: Vec<&str> = instead.view.columns.iter().map(|column| column.name.as_str()).collect();
            let (sql, parameters) = listed(&names, written);
            let rows = Returned { table: instead.name.clone(), sql, parameters, scalar: false };
            let shown = Query { filter: None, limit: None, offset: 0, ..query.clone() };
            let plan = |purpose: Purpose| plan::returned(self.schema, self.cx, purpose, &shown, &rows);
            page = in_format(self.conn, &options.format, &plan)?.page();
        } else {
            self.schema.relations.check(instead.name, query)?;
        }
        let rows = page.rows;
        options.transaction.check_affected(rows)?;
        options.format.check_rows(rows)?;
        page.total = options.count.map(|_| rows);
        self.told(page)
    }
}

impl Instead<'_> {
    /// A row with some of its columns changed.
    fn with(&self, row: &[Cell], columns: &[&Column], values: &[Option<Value>]) -> Result<Vec<Cell>> {
        let mut new = row.to_vec();
        for (column, value) in columns.iter().zip(values) {
            let at = self.view.columns.iter().position(|one| one.name == column.name);
            if let (Some(at), Some(value)) = (at, value) {
                new[at] = storage::cell(value)?;
            }
        }
        Ok(new)
    }
}

/// The key of the first row written.
fn location(view: &Table, row: Option<&Vec<Cell>>) -> Result<Vec<(String, Option<String>)>> {
    let mut location = Vec::new();
    for name in &view.primary_key {
        let at = view.columns.iter().position(|column| column.name == *name);
        if let (Some(at), Some(row)) = (at, row) {
            let ty = &view.columns[at].ty;
            let value = storage::value((&row[at]).into(), ty)?;
            location.push((name.clone(), value.to_text_as(ty)));
        }
    }
    Ok(location)
}
