//! What a statement on rows names: a table, or a partition of one by its own name.

use truststream_kernel::{Error, Result, Type};
use truststream_services::database::{
    Catalog, Column, Partition, PolicyCommand, Table, TableKind, TableName,
};

use super::numbers;
use super::write::Write;
use crate::expression::{Relation, Scope, Term, Translator, file_name};
use crate::partitions::only_of;
use crate::quote::{literal, quote};
use crate::schema::{no_such_column, no_such_table, sequence_of};

/// Where the rows of a statement are.
pub(super) struct Target<'c> {
    /// The table that they are in.
    pub(super) name: &'c TableName,
    pub(super) table: &'c Table,
    partition: Option<&'c Partition>,
}

impl<'c> Target<'c> {
    /// # Errors
    /// 42P01 if there is nothing of the name, 0A000 for views.
    pub(super) fn find(catalog: &'c Catalog, named: &TableName) -> Result<Self> {
        let (name, table, partition) = catalog.relation(named).ok_or_else(|| no_such_table(named))?;
        match table.kind {
            TableKind::Table => Ok(Target { name, table, partition }),
            _ => Err(Error::unsupported(format!("writing through view {name} runs on PostgreSQL only"))),
        }
    }

    /// The name that it is called by.
    pub(super) fn named(&self) -> &'c TableName {
        self.partition.map_or(self.name, |partition| &partition.name)
    }

    pub(super) fn is_partition(&self) -> bool {
        self.partition.is_some()
    }

    pub(super) fn pair(&self) -> (&'c TableName, &'c Table) {
        (self.name, self.table)
    }

    pub(super) fn column(&self, column: &str) -> Result<&'c Column> {
        self.table.column(column).ok_or_else(|| no_such_column(column, self.named()))
    }

    /// A statement on its rows.
    pub(super) fn write(&self, command: PolicyCommand, sql: String, returning: Vec<(String, Term)>) -> Write {
        let (table, named) = (self.name.clone(), self.named().clone());
        Write { table, named, command, sql, returning, upserts: false }
    }

    /// What columns come from: under the table's own name, which is all that SQLite takes within triggers.
    pub(super) fn relation(&self, alias: Option<String>) -> Relation {
        let relation = Relation::of_table(self.name, self.table).aliased(file_name(self.name));
        let named = self.named();
        match alias {
            Some(alias) => Relation { name: alias, schema: None, ..relation },
            None => Relation { name: named.name.clone(), schema: Some(named.schema.clone()), ..relation },
        }
    }

    /// The condition of the rows that are there by this name; `None` where it is all of the table.
    ///
    /// # Errors
    /// 0A000 for what only PostgreSQL knows.
    pub(super) fn rows(&self, catalog: &Catalog) -> Result<Option<String>> {
        let file = file_name(self.name);
        let scope = Scope { alias: Some(&file), ..Scope::of_table(catalog, self.name) };
        self.partition.map(|partition| only_of(&scope, self.name, partition)).transpose()
    }

    /// Rows to insert, with all columns that decide whether they are in the partition.
    ///
    /// # Errors
    /// A default that can't be translated.
    pub(super) fn decided(
        &self,
        catalog: &Catalog,
        (mut columns, mut rows): (Vec<&'c Column>, String),
    ) -> Result<(Vec<&'c Column>, String)> {
        for column in self.deciding() {
            if columns.iter().any(|one| one.name == column.name) {
                continue;
            }
            let value = numbers::default(catalog, self.pair(), column)?.unwrap_or_else(|| "NULL".into());
            rows = match columns.is_empty() {
                true => format!("SELECT {value}"),
                false => format!("SELECT *, {value} FROM ({rows}) WHERE true"),
            };
            columns.push(column);
        }
        Ok((columns, rows))
    }

    /// The columns that a partition's rows are told by.
    pub(super) fn deciding(&self) -> Vec<&'c Column> {
        let known = self.partition.zip(self.table.partitioning.as_ref());
        let path = known.map(|(partition, known)| known.path(&partition.name)).unwrap_or_default();
        let decides = |column: &&Column| path.iter().any(|(level, _)| level.columns.contains(&column.name));
        self.table.columns.iter().filter(decides).collect()
    }

    /// Whether one of them is among those written.
    pub(super) fn decides(&self, written: &[&str]) -> bool {
        self.deciding().iter().any(|column| written.contains(&column.name.as_str()))
    }

    /// The condition that new rows are in the partition, which fails where one is not: deciding columns are
    /// named bare in it, others are told as `cell` has them, if all of them are known. `None` for a table.
    ///
    /// # Errors
    /// 0A000 for what only PostgreSQL knows.
    pub(super) fn admits(
        &self,
        translator: &Translator<'_>,
        command: PolicyCommand,
        cell: impl Fn(&Column) -> Result<Option<String>>,
    ) -> Result<Option<String>> {
        let Some(partition) = self.partition else { return Ok(None) };
        let catalog = translator.catalog();
        let mut within = only_of(&Scope::of_table(catalog, self.name), self.name, partition)?;
        if command == PolicyCommand::Insert && partition.partitioning.is_none() {
            // That they are null is what PostgreSQL tells first of a new row that has its place already.
            let nulls = self.deciding().into_iter().filter(|column| !column.nullable);
            let nulls: String = nulls.map(|column| format!(" OR {} IS NULL", quote(&column.name))).collect();
            within = format!("({within}){nulls}");
        }
        let mut told = vec![literal(&partition.name.name)];
        for column in &self.table.columns {
            let Some(cell) = cell(column)? else {
                told.truncate(1);
                break;
            };
            told.push(translator.cast_to(Term::new(cell, column.ty.clone()), &Type::Text)?.sql);
        }
        Ok(Some(format!("CASE WHEN {within} THEN 1 ELSE ts_outside({}) END", told.join(", "))))
    }

    /// What is told of a column of a row to insert: what is given is named bare, what the row would be given
    /// with its place in the table is not known.
    ///
    /// # Errors
    /// A default that can't be translated.
    pub(super) fn proposed(
        &self,
        catalog: &Catalog,
        given: &[&Column],
        column: &Column,
    ) -> Result<Option<String>> {
        if given.iter().any(|one| one.name == column.name) {
            return Ok(Some(quote(&column.name)));
        }
        let numbered = column.identity.is_some() || sequence_of(catalog, self.name, column).is_some();
        if numbered || column.generated.is_some() {
            return Ok(None);
        }
        let default = numbers::default(catalog, self.pair(), column)?;
        Ok(Some(default.unwrap_or_else(|| "NULL".into())))
    }
}
