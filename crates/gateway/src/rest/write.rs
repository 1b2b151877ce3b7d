//! `POST`, `PUT`, `PATCH` and `DELETE` of a table.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value as Json};
use truststream_kernel::{self as kernel, Error, ErrorKind, Result};
use truststream_services::database::{
    Comparison, Delete, Describe, Filter, Format, Insert, Media, OnConflict, Operand, Operator, Page, Query,
    Returning, Transaction, Update, WriteOptions,
};

use super::accept::{Accepted, negotiate};
use super::body::{members, rows, whole};
use super::prefer::Kind;
use super::range::content_range;
use super::read::check_aggregates;
use super::request::RestRequest;
use super::response::{Reply, preference_applied};
use super::send::send;
use crate::GatewayState;

/// Of inserts; the first needs a key ([`resolves`]).
const INSERTS: &[Kind] =
    &[Kind::Resolution, Kind::Missing, Kind::Return, Kind::Count, Kind::Tx, Kind::Handling, Kind::TimeZone];
/// A `PUT` always merges, and sets every column.
const PUTS: &[Kind] = &[Kind::Return, Kind::Count, Kind::Tx, Kind::Handling, Kind::TimeZone];
const UPDATES: &[Kind] = &[
    Kind::Missing,
    Kind::Return,
    Kind::Count,
    Kind::Tx,
    Kind::Handling,
    Kind::TimeZone,
    Kind::MaxAffected,
    Kind::Deleted,
];

/// `max-affected` is for what is looked for by filters: inserted rows have been counted by whoever sends them.
fn insert_options(state: &GatewayState, request: &RestRequest) -> WriteOptions {
    let options = options(state, request);
    WriteOptions { transaction: Transaction { max_affected: None, ..options.transaction }, ..options }
}

fn options(state: &GatewayState, request: &RestRequest) -> WriteOptions {
    WriteOptions {
        returning: request.prefer.returning.unwrap_or_default(),
        count: request.prefer.count,
        format: Format::default(),
        transaction: request.prefer.transaction(state.settings.rest.tx_end),
        if_version: request.header("if-match").map(versions),
    }
}

/// The versions of a list of entity tags.
fn versions(tags: &str) -> String {
    let versions: Vec<&str> = tags.split(',').map(|tag| tag.trim().trim_matches('"')).collect();
    versions.join(",")
}

/// What a `POST` asks for.
pub(super) async fn insertion(state: &GatewayState, request: &RestRequest) -> Result<Insert> {
    let parameters = request.parameters()?;
    check_aggregates(&parameters.query, &state.settings.rest)?;
    let on_conflict = match (request.prefer.merge, parameters.on_conflict) {
        (Some(merge), columns) => Some(OnConflict { columns, merge }),
        (None, _) => None,
    };
    Ok(Insert {
        table: request.name(),
        rows: rows(request).await?,
        columns: parameters.columns,
        missing_default: request.prefer.missing_default.unwrap_or(false),
        on_conflict,
        query: Query { filter: None, ..parameters.query },
        options: insert_options(state, request),
    })
}

pub(super) async fn insert(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let candidates = negotiate(request.header("accept"), state.settings.rest.plan)?;
    let insert = insertion(state, &request).await?;
    let merges = insert.on_conflict.as_ref().is_some_and(|conflict| conflict.merge);
    let kinds = if resolves(state, &insert).await? { INSERTS } else { &INSERTS[1..] };
    let (page, accepted) =
        send(state, &mut request, candidates, insert, |insert| &mut insert.options.format).await?;
    let status = if merges && page.inserted == Some(0) { StatusCode::OK } else { StatusCode::CREATED };
    let range = content_range(1, 0, total(&request, &page));
    Ok(written(state, &request, &page, status, StatusCode::CREATED, &accepted, &range, kinds))
}

/// Whether what is preferred for duplicates applies: there has to be a key that tells them.
async fn resolves(state: &GatewayState, insert: &Insert) -> Result<bool> {
    if insert.on_conflict.as_ref().is_none_or(|conflict| conflict.columns.is_some()) {
        return Ok(true);
    }
    let catalog = state.services.database.send(Describe::default()).await?;
    Ok(catalog.table(&insert.table).is_none_or(|table| !table.primary_key.is_empty()))
}

/// What a `PUT` asks for.
pub(super) async fn replacement(state: &GatewayState, request: &RestRequest) -> Result<Insert> {
    let parameters = request.parameters()?;
    check_aggregates(&parameters.query, &state.settings.rest)?;
    let query = parameters.query;
    if query.limit.is_some()
        || query.offset > 0
        || request.pairs.iter().any(|(key, _)| key == "limit" || key == "offset")
    {
        return Err(invalid("PGRST114", "limit/offset querystring parameters are not allowed for PUT"));
    }
    let mut rows = rows(request).await?;
    // One of a single condition is not told from that condition any more.
    let is_tree = |key: &str| matches!(key, "and" | "or" | "not.and" | "not.or");
    let has_tree = request.pairs.iter().any(|(key, _)| is_tree(key));
    let named = key_of(query.filter.as_ref()).filter(|_| !has_tree);
    let catalog = state.services.database.send(Describe::default()).await?;
    // A table that there is not, the database tells in its own words.
    if let Some(table) = catalog.table(&request.name()) {
        let key = &table.primary_key;
        let is_whole = |named: &Vec<(String, String)>| {
            named.len() == key.len() && key.iter().all(|column| named.iter().any(|(name, _)| name == column))
        };
        let Some(named) = named.filter(|named| is_whole(named) && !key.is_empty()) else {
            let message = "Filters must include all and only primary key columns with 'eq' operators";
            return Err(invalid("PGRST105", message));
        };
        rows = of_key(rows, &named)
            .await?
            .ok_or_else(|| invalid("PGRST115", "Payload values do not match URL in primary key column(s)"))?;
    }
    Ok(Insert {
        table: request.name(),
        rows,
        columns: parameters.columns,
        missing_default: request.prefer.missing_default.unwrap_or(false),
        on_conflict: Some(OnConflict { columns: None, merge: true }),
        query: Query { filter: None, ..query },
        options: insert_options(state, request),
    })
}

pub(super) async fn put(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let candidates = negotiate(request.header("accept"), state.settings.rest.plan)?;
    let insert = replacement(state, &request).await?;
    let (page, accepted) =
        send(state, &mut request, candidates, insert, |insert| &mut insert.options.format).await?;
    let created = page.inserted.is_some_and(|inserted| inserted > 0);
    let shown = if created { StatusCode::CREATED } else { StatusCode::OK };
    let silent = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let range = content_range(1, 0, total(&request, &page));
    Ok(written(state, &request, &page, shown, silent, &accepted, &range, PUTS))
}

/// What a `PATCH` asks for.
pub(super) async fn change(state: &GatewayState, request: &RestRequest) -> Result<Update> {
    let parameters = request.parameters()?;
    check_aggregates(&parameters.query, &state.settings.rest)?;
    Ok(Update {
        table: request.name(),
        values: rows(request).await?,
        columns: parameters.columns,
        missing_default: request.prefer.missing_default.unwrap_or(false),
        query: parameters.query,
        options: options(state, request),
    })
}

pub(super) async fn update(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let candidates = negotiate(request.header("accept"), state.settings.rest.plan)?;
    let update = change(state, &request).await?;
    let (page, accepted) =
        send(state, &mut request, candidates, update, |update| &mut update.options.format).await?;
    let range = content_range(0, page.rows, total(&request, &page));
    Ok(written(state, &request, &page, StatusCode::OK, StatusCode::NO_CONTENT, &accepted, &range, UPDATES))
}

/// What a `DELETE` asks for.
pub(super) fn removal(state: &GatewayState, request: &RestRequest) -> Result<Delete> {
    let query = request.parameters()?.query;
    check_aggregates(&query, &state.settings.rest)?;
    Ok(Delete { table: request.name(), query, options: options(state, request) })
}

pub(super) async fn delete(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let candidates = negotiate(request.header("accept"), state.settings.rest.plan)?;
    let delete = removal(state, &request)?;
    let (page, accepted) =
        send(state, &mut request, candidates, delete, |delete| &mut delete.options.format).await?;
    let range = content_range(1, 0, total(&request, &page));
    let kinds: Vec<Kind> = UPDATES.iter().copied().filter(|kind| *kind != Kind::Missing).collect();
    Ok(written(state, &request, &page, StatusCode::OK, StatusCode::NO_CONTENT, &accepted, &range, &kinds))
}

/// How many rows were written, if that was asked for.
fn total(request: &RestRequest, page: &Page) -> Option<u64> {
    request.prefer.count.map(|_| page.total.unwrap_or(page.rows))
}

/// The reply to a write: with the rows, or without a body.
#[allow(clippy::too_many_arguments)]
fn written(
    state: &GatewayState,
    request: &RestRequest,
    page: &Page,
    shown: StatusCode,
    silent: StatusCode,
    accepted: &Accepted,
    range: &str,
    kinds: &[Kind],
) -> Response<Body> {
    let applied = request.prefer.applied(kinds, state.settings.rest.tx_end);
    if matches!(accepted.format.media, Media::Plan(_)) {
        // Nothing was written.
        return Reply::new(StatusCode::OK, page)
            .body(request, page, &accepted.content_type)
            .finish(request, page);
    }
    let shows = request.prefer.returning == Some(Returning::Representation);
    let reply = Reply::new(if shows { shown } else { silent }, page)
        .header(header::CONTENT_RANGE, Some(range))
        .header(preference_applied(), applied.as_deref())
        .header(header::LOCATION, location(request, page).as_deref())
        .version(page);
    if shows {
        return reply.body(request, page, &accepted.content_type).finish(request, page);
    }
    reply.finish(request, page)
}

fn location(request: &RestRequest, page: &Page) -> Option<String> {
    let puts = matches!(request.method, Method::POST | Method::PUT);
    // Of several rows there is no one place.
    if !puts
        || page.rows > 1
        || page.location.is_empty()
        || request.prefer.returning != Some(Returning::HeadersOnly)
    {
        return None;
    }
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs: Vec<_> = page
        .location
        .iter()
        .map(|(column, value)| {
            let Some(value) = value else { return format!("{column}=is.null") };
            let plain =
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
            let value = if plain { value.clone() } else { encode(value) };
            format!("{column}=eq.{value}")
        })
        .collect();
    Some(format!("/{}?{}", request.name().name, pairs.join("&")))
}

fn invalid(code: &'static str, message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message)
}

/// Columns and literals of a filter that is nothing but `eq` conditions joined by `and`.
fn key_of(filter: Option<&Filter>) -> Option<Vec<(String, String)>> {
    let one = |filter: &Filter| match filter {
        Filter::Compare(Comparison {
            field,
            operator: Operator::Eq,
            quantifier: None,
            operand: Operand::Text(text),
        }) if field.path.is_empty() => Some((field.name.clone(), text.clone())),
        _ => None,
    };
    match filter? {
        Filter::And(all) => all.iter().map(one).collect(),
        other => Some(vec![one(other)?]),
    }
}

/// The row of the body whose key is the one that the URL names; nothing where it has none or several such rows.
async fn of_key(rows: kernel::Body, named: &[(String, String)]) -> Result<Option<kernel::Body>> {
    let columns: Vec<&str> = named.iter().map(|(column, _)| column.as_str()).collect();
    if let Some(row) = members(&rows, &columns).await? {
        return Ok(has_key(&row.picked, named).then_some(rows));
    }
    let Ok(several) = serde_json::from_slice::<Vec<Map<String, Json>>>(&whole(&rows).await?) else {
        return Ok(None);
    };
    let mut of_key = several.into_iter().filter(|row| has_key(row, named));
    match (of_key.next(), of_key.next()) {
        (Some(row), None) => Ok(Some(Json::Object(row).to_string().into())),
        _ => Ok(None),
    }
}

fn has_key(row: &Map<String, Json>, named: &[(String, String)]) -> bool {
    named.iter().all(|(column, literal)| match row.get(column) {
        Some(Json::String(text)) => text == literal,
        Some(value) => serde_json::from_str::<Json>(literal).is_ok_and(|named| named == *value),
        None => false,
    })
}
