//! Tables that are written, by their own name or through a view.

use std::borrow::Cow;

use mongodb::bson::Document;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Column, PolicyCommand, Table, TableKind, TableName, errors};
use truststream_sql::updatable::{self, Base};

use super::insert::{located, location};
use super::{Named, Rows};
use crate::access::Access;
use crate::schema::Schema;
use crate::work::Work;

/// What is written under a name.
pub(crate) struct Through<'s> {
    /// The table.
    pub(super) named: Named<'s>,
    /// The view that it is written through, if it is.
    view: Option<(Base, &'s Table)>,
}

impl<'s> Through<'s> {
    /// The table that has this name, or is written through the view of this name.
    ///
    /// # Errors
    /// PGRST205 if there is none, 0A000 for a view that shows no rows of one table.
    pub(super) fn find(schema: &'s Schema, name: &'s TableName) -> Result<Self> {
        let table = schema.table(name)?;
        if table.kind == TableKind::Table {
            return Ok(Through { named: (name, table), view: None });
        }
        let base = updatable::base(&schema.catalog, name)
            .ok_or_else(|| Error::unsupported(format!("cannot write to view \"{}\"", name.name)))?;
        let (base_name, below) = schema
            .catalog
            .tables
            .get_key_value(&base.table)
            .ok_or_else(|| Error::internal("a view of a table that is not there"))?;
        Ok(Through { named: (base_name, below), view: Some((base, table)) })
    }

    /// The very table or view of a name: its triggers write.
    pub(super) fn itself(named: Named<'s>) -> Self {
        Through { named, view: None }
    }

    pub(super) fn is_view(&self) -> bool {
        self.view.is_some()
    }

    /// Whether the view is asked with the rights of its owner.
    pub(super) fn is_owned(&self) -> bool {
        self.view.as_ref().is_some_and(|(base, _)| !base.invoker)
    }

    /// The table's column that a name means.
    ///
    /// # Errors
    /// PGRST204 if there is none, 0A000 for a column that the view computes.
    pub(super) fn column(&self, name: &TableName, column: &str) -> Result<&'s Column> {
        let found = match &self.view {
            None => self.named.1.column(column),
            Some((base, view)) => match base.column(column) {
                Some(below) => self.named.1.column(below),
                None if view.column(column).is_some() => {
                    let message = format!("cannot write to column \"{column}\" of view \"{}\"", name.name);
                    return Err(Error::unsupported(message));
                }
                None => None,
            },
        };
        found.ok_or_else(|| errors::unknown_column(name, column))
    }

    /// The table with the defaults that the view has of its own.
    pub(super) fn defaulting(&self) -> Cow<'s, Table> {
        let table = Cow::Borrowed(self.named.1);
        let Some((base, _)) = self.view.as_ref().filter(|(base, _)| !base.defaults.is_empty()) else {
            return table;
        };
        let mut table = table.into_owned();
        for (name, default) in &base.defaults {
            if let Some(column) = table.columns.iter_mut().find(|column| column.name == *name) {
                (column.default, column.identity) = (Some(default.clone()), None);
            }
        }
        Cow::Owned(table)
    }

    /// Where a row of the table is found, by the names that the view has.
    pub(super) fn location(&self, row: &Document) -> Vec<(String, Option<String>)> {
        let Some((base, view)) = &self.view else { return location(self.named.1, row) };
        let table = self.named.1;
        let key = view.primary_key.iter();
        located(key.filter_map(|name| Some((name, table.column(base.column(name)?)?))), row)
    }

    /// Columns of a key by the names that the table has for them.
    pub(super) fn below(&self, columns: &[String]) -> Vec<String> {
        let below = |column: &String| match &self.view {
            Some((base, _)) => base.column(column).unwrap_or(column).to_owned(),
            None => column.clone(),
        };
        columns.iter().map(below).collect()
    }
}

impl Work {
    /// Refuses to insert into a table that is closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_insert(&self, name: &TableName) -> Result<()> {
        if self.owner {
            return Ok(());
        }
        let access = Access::of(&self.cx).by_columns(true);
        access.check(&self.schema, name, PolicyCommand::Insert).map(drop)
    }

    /// Refuses to write columns of a table or view that are closed to the caller, and those below a view that
    /// is written with the caller's rights.
    ///
    /// # Errors
    /// 42501.
    pub(super) fn may_write_through(
        &self,
        (name, through): (&TableName, &Through<'_>),
        command: PolicyCommand,
        rows: &Rows<'_>,
    ) -> Result<()> {
        let given: Vec<&str> = rows.given.iter().map(String::as_str).collect();
        self.may_write(name, command, &given)?;
        if !through.is_view() || through.is_owned() {
            return Ok(());
        }
        let below: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
        self.may_write(through.named.0, command, &below)
    }

    /// Refuses to write columns that are closed to the caller.
    ///
    /// # Errors
    /// 42501.
    pub(crate) fn may_write(&self, name: &TableName, command: PolicyCommand, columns: &[&str]) -> Result<()> {
        if self.owner {
            return Ok(());
        }
        match self.share_of(name) {
            Some(share) => self.may_share(share, command),
            None => Access::of(&self.cx).may_write((name, self.schema.table(name)?), command, columns),
        }
    }
}
