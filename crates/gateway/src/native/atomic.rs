//! Several requests to the data API in one transaction: all of them or none.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::database::{Batch, Isolation, Page, Step};

use crate::GatewayState;
use crate::rest::steps::{CREDENTIALS, RestStep, envelope, respond};

/// Requests in one call at most.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    isolation: Option<Isolation>,
    requests: Vec<Part>,
}

/// One request, as it would be sent to the data API.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    method: String,
    /// Path and query below `/rest/v1`.
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Box<RawValue>>,
    /// Rows it must touch, or nothing is done at all.
    expect: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    status: u16,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    body: Option<Box<RawValue>>,
}

pub(super) async fn answer(State(state): State<GatewayState>, request: Request) -> Response {
    let (cx, headers, body) = match envelope(&state, request).await {
        Ok(envelope) => envelope,
        Err(error) => return respond(&state, &error, None),
    };
    match together(&state, &cx, &headers, &body).await {
        Ok(replies) => ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], replies).into_response(),
        Err(error) => respond(&state, &error, Some(&cx)),
    }
}

async fn together(state: &GatewayState, cx: &Context, headers: &HeaderMap, body: &[u8]) -> Result<String> {
    let asked: Asked = serde_json::from_slice(body).map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "PGRST102", format!("the body is not as expected: {error}"))
    })?;
    if asked.requests.len() > MOST {
        return Err(Error::too_large(format!("at most {MOST} requests are done at once")));
    }
    let (mut parts, mut steps, mut origins) = (Vec::new(), Vec::new(), Vec::new());
    for (index, part) in asked.requests.into_iter().enumerate() {
        let expect = part.expect;
        let part = read(state, headers, part).await.map_err(|error| error.at_step(index))?;
        steps.push(part.step.clone());
        steps.extend(expect.map(Step::Expect));
        origins.resize(steps.len(), index);
        parts.push(part);
    }
    let database = state.services.database.with(cx.clone());
    let pages = database.send(Batch { steps, isolation: asked.isolation }).await;
    let pages = pages.map_err(|error| match error.step().and_then(|step| origins.get(step)) {
        Some(origin) => error.of_step(*origin),
        None => error,
    })?;
    let replies =
        parts.iter().zip(&pages).map(|(part, page)| told(part, page)).collect::<Result<Vec<_>>>()?;
    serde_json::to_string(&replies).map_err(unreadable)
}

async fn read(state: &GatewayState, headers: &HeaderMap, part: Part) -> Result<RestStep> {
    let invalid = |what: &str| Error::invalid_input(format!("a request has an invalid {what}"));
    if !part.path.starts_with('/') {
        return Err(invalid("path").with_hint("paths are below /rest/v1, such as /tracks?id=eq.1"));
    }
    let body = part.body.map_or_else(Body::empty, |body| Body::from(body.get().to_owned()));
    let mut request = Request::builder()
        .method(part.method.as_str())
        .uri(format!("/rest/v1{}", part.path))
        .body(body)
        .map_err(|error| invalid("method or path").with_source(error))?;
    let own = request.headers_mut();
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in part.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("header"))?;
        own.insert(name, HeaderValue::from_str(&value).map_err(|_| invalid("header"))?);
    }
    // All are sent by one caller, under one key.
    own.remove("idempotency-key");
    for name in CREDENTIALS {
        own.remove(&name);
        if let Some(value) = headers.get(&name) {
            own.insert(name, value.clone());
        }
    }
    RestStep::read(state, request).await
}

fn told(part: &RestStep, page: &Page) -> Result<Told> {
    let status = part.status(page);
    let body = part.body(page);
    let body = match std::str::from_utf8(&body) {
        Ok("") => None,
        // A representation that is no JSON is a text in this reply.
        Ok(text) => Some(match RawValue::from_string(text.to_owned()) {
            Ok(json) => json,
            Err(_) => serde_json::value::to_raw_value(text).map_err(unreadable)?,
        }),
        Err(_) => return Err(Error::unsupported("only texts can be in the reply to several requests")),
    };
    let body = body.filter(|_| status != StatusCode::NO_CONTENT);
    Ok(Told {
        status: status.as_u16(),
        rows: page.rows,
        total: page.total,
        version: page.version.clone(),
        body,
    })
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("the replies could not be put together").with_source(error)
}
