//! Selects.

use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Comparison, Filter, Media, Operator, Page, Select, Table};

use crate::connection::Conn;
use crate::error::convert;
use crate::plan::{self, Purpose, Source};
use crate::render::{number, render};
use crate::schema::Schema;

/// Reads of at most so many rows are done on the thread that asks.
const FEW: u64 = 100;

/// Reads rows.
pub(crate) fn select(conn: &Conn, schema: &Schema, cx: &Context, op: &Select) -> Result<Page> {
    // A batch has its transaction already.
    let snapshot = match op.count.is_some() && conn.sql.is_autocommit() {
        true => Some(conn.sql.unchecked_transaction().map_err(convert)?),
        false => None,
    };
    let mut total = None;
    if op.count.is_some() {
        let found = number(
            conn,
            &plan::statement(schema, cx, Purpose::Count, (&op.table, &op.query), &Source::Table)?,
        )?;
        let beyond = op.query.offset > found;
        if beyond && op.format.media != Media::Object {
            let details =
                format!("An offset of {} was requested, but there are only {found} rows.", op.query.offset);
            return Err(Error::new(ErrorKind::InvalidInput, "PGRST103", "Requested range not satisfiable")
                .with_details(details));
        }
        total = Some(found);
    }
    let (body, rows) = render(conn, schema, cx, (&op.table, &op.query), &Source::Table, &op.format)?;
    drop(snapshot);
    Ok(Page { body, rows, total, ..Page::default() })
}

/// Whether a read is done sooner than a thread wakes: a small page, or a row by its key.
pub(crate) fn is_cheap(schema: &Schema, op: &Select) -> bool {
    if op.count.is_some() {
        return false;
    }
    let few = op.query.limit.is_some_and(|limit| limit <= FEW) && op.query.offset == 0;
    let by_key = |table: &Table| op.query.filter.as_ref().is_some_and(|filter| names_key(table, filter));
    few || schema.catalog.table(&op.table).is_some_and(by_key)
}

fn names_key(table: &Table, filter: &Filter) -> bool {
    let mut names = Vec::new();
    equalities(filter, &mut names);
    let covers =
        |key: &[String]| !key.is_empty() && key.iter().all(|column| names.contains(&column.as_str()));
    covers(&table.primary_key) || table.unique_keys.iter().any(|key| covers(&key.columns))
}

fn equalities<'f>(filter: &'f Filter, names: &mut Vec<&'f str>) {
    match filter {
        Filter::And(all) => all.iter().for_each(|one| equalities(one, names)),
        Filter::Compare(Comparison { field, operator: Operator::Eq, quantifier: None, .. })
            if field.path.is_empty() =>
        {
            names.push(&field.name);
        }
        _ => {}
    }
}
