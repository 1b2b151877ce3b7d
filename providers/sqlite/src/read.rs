//! Selects.

use truststream_kernel::{Context, Result};
use truststream_services::database::{Format, Media, Page, Select, Table, errors};

use crate::connection::Conn;
use crate::error::convert;
use crate::explain::explain;
use crate::plan::{self, Purpose, Source, Statement};
use crate::render::{Rendered, in_format, render};
use crate::rows;
use crate::schema::Schema;
use crate::total;

/// Reads of at most so many rows are done on the thread that asks.
const FEW: u64 = 100;

/// Reads rows.
pub(crate) fn select(conn: &Conn, schema: &Schema, cx: &Context, op: &Select) -> Result<Page> {
    if let Media::Plan(format) = &op.format.media {
        let rows = plan::statement(schema, cx, Purpose::Rows, (&op.table, &op.query), &Source::Table)?;
        return explain(conn, &rows, format);
    }
    // A batch has its transaction already.
    let snapshot = match op.count.is_some() && conn.sql.is_autocommit() {
        true => Some(conn.sql.unchecked_transaction().map_err(convert)?),
        false => None,
    };
    let mut total = None;
    if let Some(found) = total::total(conn, schema, cx, op)? {
        total = Some(found);
    }
    if op.format.media != Media::Object {
        errors::satisfiable(op.query.offset, total)?;
    }
    let (table, query) = (&op.table, &op.query);
    let page = if op.as_values && matches!(op.format.media, Media::Json | Media::Object) {
        let statement = plan::statement(schema, cx, Purpose::Rows, (table, query), &Source::Table)?;
        values(conn, &statement, &op.format)?
    } else {
        render(conn, schema, cx, (table, query), &Source::Table, &op.format)?.page()
    };
    drop(snapshot);
    Ok(Page { total, ..page })
}

/// A page of values, as the body would have them.
fn values(conn: &Conn, statement: &Statement, format: &Format) -> Result<Page> {
    if statement.names.is_empty() || format.strip_nulls {
        return in_format(conn, format, &|_| Ok(statement.clone())).map(Rendered::page);
    }
    let values = rows::values(conn, statement)?;
    let rows = values.len() as u64;
    format.check_rows(rows)?;
    Ok(Page { rows, values: Some(values), ..Page::default() })
}

/// Whether a read is done sooner than a thread wakes: a small page, or a row by its key.
pub(crate) fn is_cheap(schema: &Schema, op: &Select) -> bool {
    if op.count.is_some() {
        return false;
    }
    let few = op.query.limit.is_some_and(|limit| limit <= FEW) && op.query.offset == 0;
    let by_key = |table: &Table| op.query.filter.as_ref().is_some_and(|filter| table.is_keyed_by(filter));
    few || schema.catalog.table(&op.table).is_some_and(by_key)
}
