//! `GET` and `HEAD` of a table.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use truststream_kernel::{Error, Result};
use truststream_services::database::{Format, Item, Page, Query, Select};

use super::accept::negotiate;
use super::prefer::Kind;
use super::range::{cap, content_range, narrow, unsatisfiable};
use super::request::RestRequest;
use super::response::{Reply, preference_applied};
use super::send::send;
use crate::{GatewayState, RestSettings};

/// What a `GET` asks for.
pub(super) fn selection(state: &GatewayState, request: &RestRequest) -> Result<Select> {
    let settings = &state.settings.rest;
    let mut query = request.parameters()?.query;
    check_aggregates(&query, settings)?;
    if request.method == Method::GET {
        narrow(&mut query, request.header("range"))?;
    }
    cap(&mut query, settings.max_rows);
    Ok(Select {
        table: request.name(),
        query,
        count: request.prefer.count,
        format: Format::default(),
        transaction: request.prefer.transaction(settings.tx_end),
        as_values: false,
    })
}

pub(super) async fn answer(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let settings = &state.settings.rest;
    let candidates = negotiate(request.header("accept"), settings.plan)?;
    let select = selection(state, &request)?;
    let offset = select.query.offset;
    let (page, accepted) = send(state, &mut request, candidates, select, |select| &mut select.format).await?;
    let status = ranged_status(offset, &page)?;
    let kinds = [Kind::Count, Kind::Tx, Kind::Handling, Kind::TimeZone, Kind::Deleted];
    let applied = request.prefer.applied(&kinds, settings.tx_end);
    if let Some(version) = &page.version
        && request.header("if-none-match").is_some_and(|known| known.contains(version.as_str()))
    {
        return Ok(Reply::new(StatusCode::NOT_MODIFIED, &page).version(&page).finish(&request, &page));
    }
    Ok(Reply::new(status, &page)
        .header(header::CONTENT_RANGE, Some(&content_range(offset, page.rows, page.total)))
        .header(preference_applied(), applied.as_deref())
        .header(header::CONTENT_LOCATION, Some(&request.location()))
        .version(&page)
        .body(&request, &page, &accepted.content_type)
        .finish(&request, &page))
}

/// 200 for all rows, 206 for a part of them.
///
/// # Errors
/// PGRST103 when the offset lies beyond the rows there are.
pub(super) fn ranged_status(offset: u64, page: &Page) -> Result<StatusCode> {
    let Some(total) = page.total else { return Ok(StatusCode::OK) };
    if offset > 0 && offset >= total {
        return Err(unsatisfiable(format!(
            "An offset of {offset} was requested, but there are only {total} rows."
        )));
    }
    Ok(if page.rows < total { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK })
}

/// Refuses aggregates where the operator has not allowed them.
pub(super) fn check_aggregates(query: &Query, settings: &RestSettings) -> Result<()> {
    if settings.aggregates || !has_aggregate(query) {
        return Ok(());
    }
    Err(Error::new(
        truststream_kernel::ErrorKind::InvalidInput,
        "PGRST123",
        "Use of aggregate functions is not allowed",
    ))
}

fn has_aggregate(query: &Query) -> bool {
    query.items.iter().any(|item| match item {
        Item::All => false,
        Item::Count { .. } => true,
        Item::Column { aggregate, .. } => aggregate.is_some(),
        Item::Embed(embed) => has_aggregate(&embed.query),
    })
}
