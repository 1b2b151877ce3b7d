//! Inserts and upserts.

use std::collections::HashSet;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Cell;
use truststream_kernel::{Result, Value};
use truststream_services::database::{
    Column, Insert, Page, PolicyCommand, Returning, Table, TableName, errors,
};
use truststream_sql::quote::quote;
use truststream_sql::schema::row_number;
use truststream_sql::sqlite::trigger::before;

use super::instead::Instead;
use super::{Rows, Write, explain, failing};
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

/// An insert under way.
struct Writing<'w> {
    write: &'w Write<'w>,
    op: &'w Insert,
    table: &'w Table,
    /// The columns that decide whether a row exists, of an upsert.
    key: Option<Vec<String>>,
    /// The programs of triggers that look at each row before.
    before: Option<Instead<'w>>,
    written: Written,
}

impl Writing<'_> {
    /// What is looked at before the first row is put, with the columns that all rows have.
    fn begin(&mut self, access: &Access<'_>, columns: &[&Column]) -> Result<()> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        access.may_write(self.write.schema, &self.op.table, PolicyCommand::Insert, &names)?;
        self.key = self.write.conflict_key(self.op, self.table)?;
        if self.key.is_some() && !self.table.triggers.is_empty() {
            self.write.refuse_upsert(self.op, self.table)?;
        }
        let event = ("insert", true);
        self.before = self.write.fired((&self.op.table, self.table), event, &[])?;
        Ok(())
    }

    fn put(&mut self, columns: &[&Column], row: &[Option<Value>]) -> Result<()> {
        let row = match &self.before {
            Some(before) => self.write.put_fired((&self.op.table, self.table), columns, row, before)?,
            None => self.write.put(self.op, self.table, columns, row, self.key.as_deref())?,
        };
        self.written.note(row, self.key.is_some())
    }
}

/// Row ids of what was written so far.
#[derive(Default)]
struct Written {
    all: Vec<i64>,
    /// Of an upsert only: those inserted, those updated, and both.
    inserted: Vec<i64>,
    updated: Vec<i64>,
    touched: HashSet<i64>,
}

impl Written {
    fn note(&mut self, row: Row, upserts: bool) -> Result<()> {
        let (Row::Inserted(id) | Row::Updated(id)) = row else { return Ok(()) };
        self.all.push(id);
        if upserts {
            let first = self.touched.insert(id);
            match row {
                Row::Updated(_) if !first => return Err(errors::upserted_twice()),
                Row::Updated(_) => self.updated.push(id),
                _ => self.inserted.push(id),
            }
        }
        Ok(())
    }
}

impl Write<'_> {
    /// Inserts rows, or updates those whose key exists.
    pub(crate) fn insert(&self, op: &Insert) -> Result<Page> {
        if let Some(view) = self.instead(&op.table, "insert")? {
            return self.insert_instead(op, &view);
        }
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
        let (named, wanted) = ((&op.table, table), op.columns.as_deref());
        let mut writing =
            Writing { write: self, op, table, key: None, before: None, written: Written::default() };
        match op.rows.in_memory() {
            Some(body) => {
                let rows = Rows::read(self, named, body, wanted, op.missing_default)?;
                writing.begin(&access, &rows.columns)?;
                rows.rows.iter().try_for_each(|row| writing.put(&rows.columns, row))?;
            }
            None => self.conn.in_little_memory(|| {
                let how = (wanted, op.missing_default);
                Rows::each(self, named, &op.rows, how, |columns, row| match row {
                    None => writing.begin(&access, columns),
                    Some(row) => writing.put(columns, &row),
                })
            })?,
        }
        let Writing { key, written, .. } = writing;
        let new = if key.is_some() { &written.inserted } else { &written.all };
        self.check(&op.table, new, PolicyCommand::Insert, reads(op, table))?;
        if key.is_some() {
            self.check(&op.table, &written.updated, PolicyCommand::Update, true)?;
        }
        self.after_inserts((&op.table, table), new)?;
        let new = new.len() as u64;
        Ok((written.all, new))
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
            self.refuse_nulls((op, table), columns, row, |_| true)?;
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
                return Err(self.unmet(&op.table, &[existing], &commands.map(|command| (command, false))));
            }
            let given: Vec<(&Column, &Option<Value>)> = columns.iter().copied().zip(row).collect();
            let ids = self.set(&op.table, table, &given, &[existing])?;
            return Ok(Row::Updated(ids.first().copied().unwrap_or(existing)));
        }
        let id = self.insert_row(op, table, columns, row)?;
        Ok(id.map_or(Row::Skipped, Row::Inserted))
    }

    fn put_fired(
        &self,
        named: (&TableName, &Table),
        columns: &[&Column],
        row: &[Option<Value>],
        before: &Instead<'_>,
    ) -> Result<Row> {
        let given: Vec<(&Column, &Value)> =
            columns.iter().zip(row).filter_map(|(column, value)| Some((*column, value.as_ref()?))).collect();
        given.iter().try_for_each(|(column, _)| errors::refuse_given(column))?;
        Ok(self.insert_fired(named, &given, before)?.map_or(Row::Skipped, Row::Inserted))
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
            errors::refuse_given(column)?;
            names.push(column.name.as_str());
            cells.push(storage::bound(value)?);
        }
        let is_given = |key: &String| {
            let found = columns.iter().zip(row).find(|(column, _)| column.name == *key);
            found.is_some_and(|(_, value)| !matches!(value, None | Some(Value::Null)))
        };
        // SQLite would give a row without a key a number of its own choice. Where nothing numbers it, triggers may.
        if !table.primary_key.iter().all(is_given)
            && let Some(numbered) = row_number(&self.schema.catalog, &op.table, table)
            && (table.triggers.is_empty() || numbered.identity.is_some())
        {
            self.refuse_nulls((op, table), columns, row, |column| column.name == numbered.name)?;
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

    /// Refuses a row that has no value in one of the columns `judged` that must have one. PostgreSQL looks at
    /// that before it looks for a row of the same key.
    ///
    /// # Errors
    /// 23502, 428C9; 42501 to who may not write the row at all.
    fn refuse_nulls(
        &self,
        (op, table): (&Insert, &Table),
        columns: &[&Column],
        row: &[Option<Value>],
        judged: impl Fn(&Column) -> bool,
    ) -> Result<()> {
        let given: Vec<(&Column, &Value)> =
            columns.iter().zip(row).filter_map(|(column, value)| Some((*column, value.as_ref()?))).collect();
        given.iter().try_for_each(|(column, _)| errors::refuse_given(column))?;
        let is_null = |column: &&Column| match given.iter().find(|(one, _)| one.name == column.name) {
            Some((_, value)) => matches!(value, Value::Null),
            None => column.default.is_none() && column.identity.is_none(),
        };
        let must = |column: &&Column| !column.nullable && column.generated.is_none() && judged(column);
        let Some(column) = table.columns.iter().filter(must).find(is_null) else { return Ok(()) };
        self.check_proposed(op, table, columns, row)?;
        let error = errors::null_value(&op.table, &column.name);
        Err(failing(self, (&op.table, table), &given, &[], error))
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
            return Err(errors::no_conflict_key(table, columns));
        }
        Ok(Some(columns.clone()))
    }

    pub(super) fn location(
        &self,
        op: &Insert,
        table: &Table,
        id: i64,
    ) -> Result<Vec<(String, Option<String>)>> {
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
            location.push((name.clone(), value.to_text_as(&column.ty)));
        }
        Ok(location)
    }
}

/// Whether an insert reads what it writes, so that it must be readable.
pub(super) fn reads(op: &Insert, table: &Table) -> bool {
    let key =
        op.on_conflict.as_ref().is_some_and(|rule| rule.columns.is_some() || !table.primary_key.is_empty());
    key || op.options.returning.reads(table)
}
