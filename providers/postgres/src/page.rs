//! From the row a statement returns to the page of the reply.

use bytes::Bytes;
use tokio_postgres::Row;
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::{Media, Page, errors};
use truststream_sql::response::{headers, status};

use crate::error::failed;
use crate::render::Statement;
use crate::wire::Raw;

/// Reads the only row of a statement, those that have the pieces of its body, or the lines of a plan.
pub(crate) fn page(statement: &Statement, rows: &[Row]) -> Result<Page> {
    if statement.plan {
        return plan(rows);
    }
    let Some(row) = rows.first() else { return Ok(Page::default()) };
    let count: i64 = row.try_get("page").map_err(failed)?;
    let total: Option<i64> = row.try_get("total").map_err(failed)?;
    let inserted: Option<&str> = row.try_get("inserted").map_err(failed)?;
    Ok(Page {
        body: body(rows)?,
        rows: u64::try_from(count).unwrap_or_default(),
        total: total.and_then(|total| u64::try_from(total).ok()),
        inserted: inserted.and_then(|count| count.parse().ok()),
        location: location(row.try_get("location").map_err(failed)?),
        status: status(row.try_get("status").map_err(failed)?)?,
        headers: headers(row.try_get("headers").map_err(failed)?)?,
        media_type: statement.media_type.clone(),
        ..Page::default()
    })
}

fn body(rows: &[Row]) -> Result<Bytes> {
    if let [row] = rows {
        let body: Option<Raw<'_>> = row.try_get("body").map_err(failed)?;
        return Ok(body.map(|Raw(bytes)| Bytes::copy_from_slice(bytes)).unwrap_or_default());
    }
    let mut body = Vec::new();
    for row in rows {
        if let Some(Raw(piece)) = row.try_get("body").map_err(failed)? {
            body.extend_from_slice(piece);
        }
    }
    Ok(body.into())
}

fn plan(rows: &[Row]) -> Result<Page> {
    let mut body = Vec::new();
    for row in rows {
        let Raw(line) = row.try_get(0).map_err(failed)?;
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    Ok(Page { body: body.into(), rows: 1, ..Page::default() })
}

fn location(text: Option<&str>) -> Vec<(String, Option<String>)> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// With a singular reply, any number of rows but one is an error.
pub(crate) fn singular(media: &Media, page: &Page) -> Result<()> {
    if *media == Media::Object && page.rows != 1 { Err(errors::not_one(page.rows)) } else { Ok(()) }
}

/// A write may touch only so many rows.
pub(crate) fn affected(limit: Option<u64>, page: &Page) -> Result<()> {
    match limit {
        Some(limit) if page.rows > limit => Err(errors::too_many_affected(page.rows)),
        _ => Ok(()),
    }
}

/// A `PUT` writes the row that its URL names.
pub(crate) fn named_row(page: &Page) -> Result<()> {
    if page.rows == 1 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "PGRST115",
        "Payload values do not match URL in primary key column(s)",
    ))
}
