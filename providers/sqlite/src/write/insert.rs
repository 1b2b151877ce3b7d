//! Inserts and upserts.

use std::collections::HashSet;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Error, ErrorKind, Result, Value};
use truststream_services::database::{Column, Identity, Insert, Page, PolicyCommand, Returning, Table};
use truststream_sql::quote::quote;
use truststream_sql::sqlite::trigger::before;

use super::{Rows, Write, explain};
use crate::access::Access;
use crate::error::convert;
use crate::schema::physical;
use crate::storage;

/// What became of a row of an upsert.
enum Row {
    Inserted(i64),
    Updated(i64),
    Skipped,
}

impl Write<'_> {
    /// Inserts rows, or updates those whose key exists.
    pub(crate) fn insert(&self, op: &Insert) -> Result<Page> {
        if let Some(view) = self.through(&op.table)? {
            return self.insert_through(op, &view);
        }
        let (written, inserted) = self.inserted(op)?;
        let mut page = self.answer(&op.table, &op.query, &written, &op.options)?;
        page.inserted = Some(inserted);
        if let (Returning::HeadersOnly, Some(first)) = (op.options.returning, written.first()) {
            page.location = self.location(op, self.schema.table(&op.table)?, *first)?;
        }
        Ok(page)
    }

    /// Inserts rows into a table: the row ids of those written, and how many are new.
    pub(super) fn inserted(&self, op: &Insert) -> Result<(Vec<i64>, u64)> {
        let table = self.table(&op.table)?;
        // A caller without the right learns nothing of the columns.
        let access = Access::of(self.cx).by_columns();
        access.check(self.schema, &op.table, PolicyCommand::Insert)?;
        let columns = op.columns.as_deref();
        let rows = Rows::read(self.schema, (&op.table, table), &op.rows, columns, op.missing_default)?;
        let names: Vec<String> = rows.columns.iter().map(|column| column.name.clone()).collect();
        access.may_write(self.schema, &op.table, PolicyCommand::Insert, &names)?;
        let key = self.conflict_key(op, table)?;
        let (mut written, mut inserted, mut updated) = (Vec::new(), Vec::new(), Vec::new());
        let mut touched = HashSet::new();
        for row in &rows.rows {
            match self.put(op, table, &rows.columns, row, key.as_deref())? {
                Row::Inserted(id) => {
                    if key.is_some() {
                        touched.insert(id);
                    }
                    inserted.push(id);
                    written.push(id);
                }
                Row::Updated(id) => {
                    if !touched.insert(id) {
                        return Err(twice());
                    }
                    updated.push(id);
                    written.push(id);
                }
                Row::Skipped => {}
            }
        }
        self.check(&op.table, &inserted, PolicyCommand::Insert, reads(op, table))?;
        if key.is_some() {
            self.check(&op.table, &updated, PolicyCommand::Update, true)?;
        }
        Ok((written, inserted.len() as u64))
    }

    fn put(
        &self,
        op: &Insert,
        table: &Table,
        columns: &[&Column],
        row: &[Option<Value>],
        key: Option<&[String]>,
    ) -> Result<Row> {
        if let (Some(key), Some(on_conflict)) = (key, &op.on_conflict)
            && let Some(existing) = self.existing(op, columns, row, key)?
        {
            self.check_proposed(op, table, columns, row)?;
            if !on_conflict.merge {
                return Ok(Row::Skipped);
            }
            let access = Access::of(self.cx).by_columns();
            let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            access.may_write(self.schema, &op.table, PolicyCommand::Update, &names)?;
            let commands = [PolicyCommand::Update, PolicyCommand::Select];
            let using = commands.map(|command| access.using(self.schema, &op.table, command));
            let using: Vec<String> =
                using.into_iter().filter_map(Result::transpose).collect::<Result<_>>()?;
            if !using.is_empty() && self.meeting(&op.table, &[existing], &using.join(" AND "))? == 0 {
                let message = format!(
                    "new row violates row-level security policy (USING expression) for table \"{}\"",
                    op.table.name
                );
                return Err(Error::permission_denied(message));
            }
            let given: Vec<(&Column, &Option<Value>)> = columns.iter().copied().zip(row).collect();
            let ids = self.set(&op.table, table, &given, &[existing])?;
            return Ok(Row::Updated(ids.first().copied().unwrap_or(existing)));
        }
        let id = self.insert_row(op, table, columns, row)?;
        Ok(id.map_or(Row::Skipped, Row::Inserted))
    }

    /// Inserts a row; `None` if a trigger kept it out.
    fn insert_row(
        &self,
        op: &Insert,
        table: &Table,
        columns: &[&Column],
        row: &[Option<Value>],
    ) -> Result<Option<i64>> {
        let (mut names, mut cells) = (Vec::with_capacity(row.len()), Vec::with_capacity(row.len()));
        for (column, value) in columns.iter().zip(row) {
            let Some(value) = value else { continue };
            refuse_generated(column)?;
            names.push(column.name.as_str());
            cells.push(storage::cell(value)?);
        }
        let sql = self.insertion(op, table, &names)?;
        let run = || -> rusqlite::Result<Option<i64>> {
            // `RETURNING` would keep what it returns in a table of its own, made for each statement.
            let inserted = self.conn.sql.prepare_cached(&sql)?.execute(params_from_iter(&cells))?;
            Ok((inserted > 0).then(|| self.conn.sql.last_insert_rowid()))
        };
        run().map_err(|error| {
            // Who may not write the row learns nothing of those that it meets.
            if let Err(refused) = self.check_proposed(op, table, columns, row) {
                return refused;
            }
            let given: Vec<(&Column, &Value)> = columns
                .iter()
                .zip(row)
                .filter_map(|(column, value)| Some((*column, value.as_ref()?)))
                .collect();
            explain(self, error, (&op.table, table), &given, &[])
        })
    }

    /// The insert of a row with cells for these columns, as triggers make it.
    fn insertion(&self, op: &Insert, table: &Table, names: &[&str]) -> Result<String> {
        let target = physical(&op.table);
        if !table.triggers.is_empty() {
            let cells: Vec<_> =
                (1..).zip(names).map(|(at, name)| ((*name).to_owned(), format!("?{at}"))).collect();
            let catalog = &self.schema.catalog;
            if let Some(before) = before(catalog, (&op.table, table), PolicyCommand::Insert, &cells, None)? {
                let names: Vec<_> = before.columns.iter().map(|name| quote(name)).collect();
                return Ok(format!("INSERT INTO {target} ({}) {}", names.join(", "), before.sql));
            }
        }
        if names.is_empty() {
            return Ok(format!("INSERT INTO {target} DEFAULT VALUES"));
        }
        let names: Vec<_> = names.iter().map(|name| quote(name)).collect();
        let cells = vec!["?"; names.len()].join(",");
        Ok(format!("INSERT INTO {target} ({}) VALUES ({cells})", names.join(",")))
    }

    /// The row that has the same key already.
    fn existing(
        &self,
        op: &Insert,
        columns: &[&Column],
        row: &[Option<Value>],
        key: &[String],
    ) -> Result<Option<i64>> {
        let mut cells: Vec<Cell> = Vec::with_capacity(key.len());
        for name in key {
            let at = columns.iter().position(|column| column.name == *name);
            match at.and_then(|at| row[at].as_ref()) {
                // A key that is null or made anew meets no other.
                None | Some(Value::Null) => return Ok(None),
                Some(value) => cells.push(storage::cell(value)?),
            }
        }
        let tests: Vec<String> = key.iter().map(|name| format!("{} = ?", quote(name))).collect();
        let sql = format!("SELECT rowid FROM {} WHERE {}", physical(&op.table), tests.join(" AND "));
        let mut statement = self.conn.sql.prepare_cached(&sql).map_err(convert)?;
        let mut rows = statement.query(params_from_iter(&cells)).map_err(convert)?;
        rows.next().map_err(convert)?.map(|row| row.get(0).map_err(convert)).transpose()
    }

    /// The columns whose values decide whether a row exists already.
    fn conflict_key(&self, op: &Insert, table: &Table) -> Result<Option<Vec<String>>> {
        let Some(on_conflict) = &op.on_conflict else { return Ok(None) };
        let Some(columns) = &on_conflict.columns else {
            return Ok((!table.primary_key.is_empty()).then(|| table.primary_key.clone()));
        };
        let wanted: HashSet<&String> = columns.iter().collect();
        let same = |key: &[String]| key.iter().collect::<HashSet<_>>() == wanted;
        let unique = same(&table.primary_key)
            || table.unique_keys.iter().any(|key| same(&key.columns))
            || table
                .indexes
                .iter()
                .any(|index| index.unique && index.predicate.is_none() && same(&index.terms));
        if !unique {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            return Err(Error::new(ErrorKind::InvalidInput, "42P10", message));
        }
        Ok(Some(columns.clone()))
    }

    pub(super) fn location(&self, op: &Insert, table: &Table, id: i64) -> Result<Vec<(String, String)>> {
        let mut location = Vec::with_capacity(table.primary_key.len());
        for name in &table.primary_key {
            let Some(column) = table.column(name) else { continue };
            let sql = format!("SELECT {} FROM {} WHERE rowid = ?", quote(name), physical(&op.table));
            let cell: Cell = self
                .conn
                .sql
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
                .map_err(convert)?;
            let value = storage::value((&cell).into(), &column.ty)?;
            location.push((name.clone(), value.to_text_as(&column.ty).unwrap_or_default()));
        }
        Ok(location)
    }
}

/// Whether an insert reads what it writes, so that it must be readable.
pub(super) fn reads(op: &Insert, table: &Table) -> bool {
    let key =
        op.on_conflict.as_ref().is_some_and(|rule| rule.columns.is_some() || !table.primary_key.is_empty());
    key || op.options.returning == Returning::Representation
}

fn refuse_generated(column: &Column) -> Result<()> {
    let why = if column.generated.is_some() {
        "is a generated column."
    } else if column.identity == Some(Identity::Always) {
        "is an identity column defined as GENERATED ALWAYS."
    } else {
        return Ok(());
    };
    let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    Err(Error::new(ErrorKind::InvalidInput, "428C9", message)
        .with_details(format!("Column \"{}\" {why}", column.name)))
}

fn twice() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "21000",
        "ON CONFLICT DO UPDATE command cannot affect row a second time",
    )
    .with_hint(
        "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.",
    )
}
