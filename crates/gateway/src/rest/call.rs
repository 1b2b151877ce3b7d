//! `/rpc/<function>`.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::database::language::{Parameters, filter_of, parse_parameters};
use truststream_services::database::{Arguments, DatabaseFeature, Format, Invoke, NamedArgument, Query};

use super::accept::negotiate;
use super::body::{csv, json, only, whole};
use super::prefer::Kind;
use super::range::{cap, content_range, narrow};
use super::read::{check_aggregates, ranged_status};
use super::request::RestRequest;
use super::response::{Reply, preference_applied};
use super::send::send;
use crate::GatewayState;

/// Parameters of the query language, which are never parameters of a function.
const WORDS: &[&str] =
    &["select", "order", "limit", "offset", "and", "or", "not.and", "not.or", "columns", "on_conflict"];

/// What a call asks for.
pub(super) async fn invocation(state: &GatewayState, request: &RestRequest) -> Result<Invoke> {
    let settings = &state.settings.rest;
    if !state.services.database.stack().features().supported().has(DatabaseFeature::Functions) {
        return Err(no_functions(request));
    }
    let reads = request.method != Method::POST;
    let (mut query, arguments) = if reads { named(request)? } else { posted(request).await? };
    check_aggregates(&query, settings)?;
    if request.method == Method::GET {
        narrow(&mut query, request.header("range"))?;
    }
    cap(&mut query, settings.max_rows);
    Ok(Invoke {
        function: request.name(),
        arguments,
        query,
        read_only: reads,
        count: request.prefer.count,
        format: Format::default(),
        transaction: request.prefer.transaction(settings.tx_end),
    })
}

pub(super) async fn answer(state: &GatewayState, mut request: RestRequest) -> Result<Response<Body>> {
    let settings = &state.settings.rest;
    let candidates = negotiate(request.header("accept"), settings.plan)?;
    let invoke = invocation(state, &request).await?;
    let offset = invoke.query.offset;
    let (page, accepted) = send(state, &mut request, candidates, invoke, |invoke| &mut invoke.format).await?;
    let kinds = [Kind::Count, Kind::Tx, Kind::Handling, Kind::TimeZone, Kind::MaxAffected];
    let applied = request.prefer.applied(&kinds, settings.tx_end);
    // A function that returns nothing says so itself.
    if page.status == Some(StatusCode::NO_CONTENT.as_u16()) {
        return Ok(Reply::new(StatusCode::NO_CONTENT, &page)
            .header(preference_applied(), applied.as_deref())
            .finish(&request, &page));
    }
    let status = ranged_status(offset, &page)?;
    Ok(Reply::new(status, &page)
        .header(header::CONTENT_RANGE, Some(&content_range(offset, page.rows, page.total)))
        .header(preference_applied(), applied.as_deref())
        .body(&request, &page, &accepted.content_type)
        .finish(&request, &page))
}

/// What PostgREST says of a function that there is not: a database without functions has none.
fn no_functions(request: &RestRequest) -> Error {
    let name = request.name();
    let message = format!("Could not find the function {name} in the schema cache");
    Error::new(ErrorKind::NotFound, "PGRST202", message)
        .with_details("The database that serves has no functions.")
        .with_hint("a PostgreSQL backend has them")
}

/// `GET`: what is no word of the query language may be a parameter or a filter on the result.
fn named(request: &RestRequest) -> Result<(Query, Arguments)> {
    let is_word = |key: &str| WORDS.contains(&key) || key.contains('.');
    let words = request.pairs.iter().filter(|(key, _)| is_word(key));
    let Parameters { query, .. } =
        parse_parameters(words.map(|(key, value)| (key.as_str(), value.as_str())))?;
    let arguments = request
        .pairs
        .iter()
        .filter(|(key, _)| !is_word(key))
        .map(|(key, value)| NamedArgument {
            name: key.clone(),
            value: value.clone(),
            // What can't be a filter can still be a parameter.
            filter: filter_of(key, value).ok().flatten(),
        })
        .collect();
    Ok((query, Arguments::Named(arguments)))
}

/// A form: parameters as texts, those that come several times being variadic.
fn form(body: &[u8]) -> Arguments {
    let fields = url::form_urlencoded::parse(body).map(|(name, value)| NamedArgument {
        name: name.into_owned(),
        value: value.into_owned(),
        filter: None,
    });
    Arguments::Named(fields.collect())
}

/// CSV: parameters by its header, of its first line; never a body for an unnamed one.
fn columns_of(rows: &Bytes) -> Arguments {
    let rows: Vec<Map<String, Json>> = serde_json::from_slice(rows).unwrap_or_default();
    let first = rows.into_iter().next().unwrap_or_default();
    if first.values().any(Json::is_null) {
        // Only JSON has a null.
        return Arguments::Json(Json::Object(first).to_string().into());
    }
    let arguments = first.into_iter().filter_map(|(name, value)| match value {
        Json::String(value) => Some(NamedArgument { name, value, filter: None }),
        _ => None,
    });
    Arguments::Named(arguments.collect())
}

/// `POST`: parameters are in the body, the query string filters the result.
async fn posted(request: &RestRequest) -> Result<(Query, Arguments)> {
    let Parameters { query, columns, .. } = request.parameters()?;
    let content_type = request.header("content-type").unwrap_or("application/json");
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let arguments = match essence.as_str() {
        "text/plain" | "text/xml" | "application/octet-stream" => {
            Arguments::Raw { media_type: essence, body: request.body.clone() }
        }
        "application/x-www-form-urlencoded" => form(&whole(&request.body).await?),
        "text/csv" => columns_of(&whole(&csv(&request.body).await?).await?),
        _ if request.body.length() == Some(0) => Arguments::Json("{}".into()),
        _ => {
            let arguments = json(&request.body)?;
            Arguments::Json(match columns {
                Some(columns) => only(&columns, arguments).await?,
                None => arguments,
            })
        }
    };
    Ok((query, arguments))
}
