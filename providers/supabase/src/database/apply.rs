//! Rows of another database, put in by upserts and deletes.
//!
//! A data API does one request at a time, so this is weaker than what a database of one's own does:
//! each table's rows are one transaction, not all of them together; where a stream of changes stands
//! can't be kept beside them and is refused; triggers of the project fire. What they change in the very
//! rows that were sent is seen and refused in words; what they write elsewhere is not seen.

use std::collections::HashSet;

use indexmap::IndexMap;
use truststream_kernel::value::json::push_string;
use truststream_kernel::{Context, Error, ErrorKind, Outcome, Result, Row, Type, Value};
use truststream_services::database::{
    Applied, Apply, Catalog, Change, Delete, Filter, Insert, OnConflict, Operator, Query, Returning, Table,
    TableName,
};

use super::RemoteDatabase;
use super::driver::unreachable_by_http;
use super::scan::{RowReader, compared, key_columns, key_of, keyed};
use crate::client::send;
use crate::error::of_data_api;

/// Rows deleted by one request: their keys stand in its URL.
const DELETED_AT_ONCE: usize = 50;

/// What the keys of a table hold in the end: a row, or nothing.
pub(super) struct Target<'a> {
    pub(super) table: &'a Table,
    pub(super) rows: IndexMap<Vec<u8>, (&'a Row, bool)>,
}

impl RemoteDatabase {
    /// Deletes what is gone, then puts in what is there. What breaks off half-way is repeated as a
    /// whole: all of it is whole rows.
    pub(super) async fn put_rows(&self, op: &Apply) -> Result<Applied> {
        if op.position.is_some() || op.expected.is_some() {
            return Err(unreachable_by_http("can't keep where a stream of changes stands"));
        }
        let catalog = self.catalog();
        let targets = targets(&catalog, op)?;
        let order = parents_first(&catalog, &targets);
        for name in order.iter().rev() {
            self.remove(name, &targets[*name]).await?;
        }
        for name in &order {
            self.put(name, &targets[*name]).await?;
        }
        Ok(Applied::Done)
    }

    async fn remove(&self, name: &TableName, target: &Target<'_>) -> Result<()> {
        let keys = key_columns(target.table);
        let gone = target.rows.values().filter(|(_, present)| !present);
        let one = |row: &Row| {
            let of_key = key_of(target.table, row);
            let parts = keys.iter().zip(&of_key).map(|(column, value)| compared(column, Operator::Eq, value));
            Filter::And(parts.collect())
        };
        let conditions: Vec<Filter> = gone.map(|(row, _)| one(row)).collect();
        for some in conditions.chunks(DELETED_AT_ONCE) {
            let query = Query { filter: Some(Filter::Or(some.to_vec())), ..Query::all() };
            let reply =
                send(self.delete_request(&Context::system(), &Delete::new(name.clone(), query))?, true);
            let reply = reply.await?;
            if !reply.status.is_success() {
                return Err(of_data_api(&reply, true));
            }
        }
        Ok(())
    }

    async fn put(&self, name: &TableName, target: &Target<'_>) -> Result<()> {
        let present: Vec<&Row> =
            target.rows.values().filter(|(_, present)| *present).map(|(row, _)| *row).collect();
        let Some(first) = present.first() else { return Ok(()) };
        let reader = RowReader::new(target.table);
        let mut insert = Insert::new(name.clone(), body(target.table, &present)?);
        insert.columns = Some(first.columns.to_vec());
        insert.on_conflict = Some(OnConflict { columns: None, merge: true });
        insert.query = Query { items: reader.items(), ..Query::default() };
        insert.options.returning = Returning::Representation;
        let reply = send(self.insert_request(&Context::system(), &insert)?, true).await?;
        if !reply.status.is_success() {
            return Err(of_data_api(&reply, true));
        }
        unchanged(name, target.table, &present, &reader.rows(reply)?)
    }
}

pub(super) fn targets<'a>(catalog: &'a Catalog, op: &'a Apply) -> Result<IndexMap<TableName, Target<'a>>> {
    let mut targets: IndexMap<TableName, Target<'a>> = IndexMap::new();
    let mut note = |name: &TableName, row: &'a Row, present: bool| {
        let table = keyed(catalog.tables.get(name), name)?;
        let target = targets.entry(name.clone()).or_insert_with(|| Target { table, rows: IndexMap::new() });
        let key = canonical_key(table, row);
        target.rows.shift_remove(&key);
        target.rows.insert(key, (row, present));
        Ok::<_, Error>(())
    };
    for (name, rows) in &op.rows {
        rows.iter().try_for_each(|row| note(name, row, true))?;
    }
    for Change { table, old, new, .. } in &op.changes {
        old.iter().try_for_each(|row| note(table, row, false))?;
        new.iter().try_for_each(|row| note(table, row, true))?;
    }
    Ok(targets)
}

pub(super) fn canonical_key(table: &Table, row: &Row) -> Vec<u8> {
    let mut key = Vec::new();
    for value in key_of(table, row) {
        value.write_canonical(&mut key);
    }
    key
}

/// Tables in an order in which those that are referenced come before those that reference them, as far
/// as there is one.
fn parents_first<'t>(catalog: &Catalog, targets: &'t IndexMap<TableName, Target<'_>>) -> Vec<&'t TableName> {
    let mut left: Vec<&TableName> = targets.keys().collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waiting: HashSet<&TableName> = left.iter().copied().collect();
        let waits = |name: &TableName| {
            let keys = catalog.tables.get(name).into_iter().flat_map(|table| &table.foreign_keys);
            keys.into_iter().any(|key| key.references != *name && waiting.contains(&key.references))
        };
        let next = left.iter().position(|name| !waits(name)).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}

/// Rows as a JSON array: texts, which PostgreSQL reads by the column's type, and JSON where that is it.
fn body(table: &Table, rows: &[&Row]) -> Result<String> {
    let mut out = String::from("[");
    for (index, row) in rows.iter().enumerate() {
        out.push_str(if index > 0 { ",{" } else { "{" });
        for (at, (name, value)) in row.columns.iter().zip(&row.values).enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_string(&mut out, name);
            out.push(':');
            push_value(&mut out, name, table.column(name).map(|column| &column.ty), value)?;
        }
        out.push('}');
    }
    out.push(']');
    Ok(out)
}

fn push_value(out: &mut String, name: &str, ty: Option<&Type>, value: &Value) -> Result<()> {
    match value {
        Value::Json(json) if json.trim() == "null" => {
            let message = format!("column {name}: a data API can't tell the JSON null from no value");
            return Err(Error::new(ErrorKind::Unsupported, "0A000", message));
        }
        Value::Json(json) if matches!(ty, Some(Type::Json | Type::Jsonb)) => out.push_str(json),
        value => match ty.map_or_else(|| value.to_text(), |ty| value.to_text_as(ty)) {
            Some(text) => push_string(out, &text),
            None => out.push_str("null"),
        },
    }
    Ok(())
}

/// Refuses rows that are not what was sent.
fn unchanged(name: &TableName, table: &Table, sent: &[&Row], stored: &[Row]) -> Result<()> {
    let stored: IndexMap<Vec<u8>, &Row> = stored.iter().map(|row| (canonical_key(table, row), row)).collect();
    for row in sent {
        let there = stored.get(&canonical_key(table, row));
        let kept = |column: &&String| there.and_then(|there| there.get(column)) == row.get(column);
        if let Some(column) = row.columns.iter().find(|column| !kept(column)) {
            let message = format!("table {name}: the project made another value of column {column}");
            return Err(Error::new(ErrorKind::Constraint, "BACKEND_009", message)
                .with_outcome(Outcome::Unknown)
                .with_hint("a trigger or a rule of the project changes rows as they are written"));
        }
    }
    Ok(())
}
