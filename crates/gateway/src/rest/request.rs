//! What a request to the data API says before its method decides what it means.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use futures::{StreamExt, TryStreamExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use truststream_kernel::{Body, Context, Error, ErrorKind, Result};
use truststream_services::database::language::{Parameters, parse_parameters};
use truststream_services::database::{DatabaseFeature, TableName};
use truststream_spool::spool;
use url::form_urlencoded;

use super::facts::Facts;
use super::prefer::Preferences;
use super::timing::Timing;
use crate::GatewayState;

/// All that does not stand for itself in a query string.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Root,
    Table(TableName),
    Function(TableName),
}

/// A request to the data API.
pub(super) struct RestRequest {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: Arc<HeaderMap>,
    pub(super) pairs: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) cx: Context,
    pub(super) prefer: Preferences,
    /// The schema that a profile header asked for, to be named in the reply.
    pub(super) profile: Option<String>,
    pub(super) timing: Timing,
    /// Whether the reply tells the timing.
    pub(super) shows_timing: bool,
}

impl RestRequest {
    /// Reads a request: who asks, what the path names, the preferences, the body.
    pub(super) async fn read(state: &GatewayState, request: Request) -> Result<Self> {
        let mut timing = Timing::start();
        let (mut parts, body) = request.into_parts();
        let headers = Arc::new(std::mem::take(&mut parts.headers));
        let mut cx = state.identities.context(&headers).await?;
        timing.authenticated();
        let path = parts.uri.path().strip_prefix("/rest/v1").unwrap_or_default();
        let reads_facts = state.services.database.stack().features().supported();
        if reads_facts.has(DatabaseFeature::RequestFacts) {
            cx.request = Some(Arc::new(Facts::of(&parts.method, path, &headers)));
        }
        cx.idempotency_key = idempotency_key(&headers)?;
        let (schema, profile) = schema(state, &parts.method, &headers)?;
        let target = target(path, &schema)?;
        let query = parts.uri.query().unwrap_or_default();
        let pairs = pairs(query);
        if pairs.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
            return Err(nul());
        }
        let prefer = Preferences::read(&headers)?;
        let limit = usize::try_from(state.settings.gateway.body_limit).unwrap_or(usize::MAX);
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let declared = declared.and_then(|length| length.parse::<usize>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        let body = match parts.method {
            Method::GET | Method::HEAD | Method::OPTIONS => Body::EMPTY,
            _ => take_in(body, declared, limit).await?,
        };
        timing.parsed();
        Ok(RestRequest {
            method: parts.method,
            target,
            headers,
            pairs,
            body,
            cx,
            prefer,
            profile,
            timing,
            shows_timing: state.settings.rest.server_timing,
        })
    }

    /// The query string's parameters.
    pub(super) fn parameters(&self) -> Result<Parameters> {
        parse_parameters(self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Path and query in a canonical form: parameters sorted by their names.
    pub(super) fn location(&self) -> String {
        let mut location = match &self.target {
            Target::Root => "/".to_owned(),
            Target::Table(name) => format!("/{}", name.name),
            Target::Function(name) => format!("/rpc/{}", name.name),
        };
        let mut pairs: Vec<_> = self.pairs.iter().collect();
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        for (index, (key, value)) in pairs.into_iter().enumerate() {
            location.push(if index == 0 { '?' } else { '&' });
            location.extend(utf8_percent_encode(key, RESERVED));
            location.push('=');
            location.extend(utf8_percent_encode(value, RESERVED));
        }
        location
    }

    /// The table or function that the path names.
    pub(super) fn name(&self) -> TableName {
        match &self.target {
            Target::Table(name) | Target::Function(name) => name.clone(),
            Target::Root => TableName::new("", ""),
        }
    }
}

/// The parameters of a query string; what has no `=` is none, as with PostgREST.
fn pairs(query: &str) -> Vec<(String, String)> {
    let given = query.split('&').filter(|parameter| parameter.contains('='));
    given
        .flat_map(|parameter| form_urlencoded::parse(parameter.as_bytes()))
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

/// The key of a write, which is never passed over: it may be what keeps the write from being done twice.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<Arc<str>>> {
    let key = headers.get("idempotency-key").map(|key| std::str::from_utf8(key.as_bytes()));
    let key = key.transpose().map_err(|error| {
        Error::invalid_input("the idempotency key is no text in UTF-8").with_source(error)
    })?;
    Ok(key.map(Arc::from))
}

/// No text of PostgreSQL holds a NUL; engines that could are not asked.
fn nul() -> Error {
    Error::new(ErrorKind::InvalidInput, "22021", "invalid byte sequence for encoding \"UTF8\": 0x00")
}

/// The body before anything is done with it: what comes slowly must not keep a route from changing.
async fn take_in(body: axum::body::Body, declared: Option<usize>, limit: usize) -> Result<Body> {
    let length = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).or(declared);
    let mut frames = body.into_data_stream().map_err(|error| {
        Error::new(ErrorKind::InvalidInput, "PGRST102", "the body broke off").with_source(error)
    });
    let Some(first) = frames.try_next().await? else { return Ok(Body::EMPTY) };
    if length == Some(first.len()) && first.len() <= limit {
        return Ok(Body::from(first));
    }
    let frames = futures::stream::once(async { Ok(first) }).chain(frames);
    spool(frames, length.unwrap_or(0), limit as u64, || too_large(limit)).await
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, "54000", format!("the body is larger than {limit} bytes"))
        .with_hint("send less at once, or raise body_limit in [gateway]")
}

/// The schema: the default, or what `Accept-Profile` (reads) or `Content-Profile` (writes) names.
fn schema(state: &GatewayState, method: &Method, headers: &HeaderMap) -> Result<(String, Option<String>)> {
    let schemas = &state.settings.rest.schemas;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let name = if reads { "accept-profile" } else { "content-profile" };
    let asked = headers.get(name).and_then(|value| value.to_str().ok());
    match asked {
        Some(asked) if schemas.iter().any(|schema| schema == asked) => {
            Ok((asked.to_owned(), Some(asked.to_owned())))
        }
        Some(asked) => {
            let error = Error::new(ErrorKind::InvalidInput, "PGRST106", format!("Invalid schema: {asked}"));
            Err(error.with_hint(format!("Only the following schemas are exposed: {}", schemas.join(", "))))
        }
        None => {
            let first = schemas.first().cloned().unwrap_or_default();
            let told = (schemas.len() > 1).then(|| first.clone());
            Ok((first, told))
        }
    }
}

fn target(path: &str, schema: &str) -> Result<Target> {
    let path = path.trim_start_matches('/');
    let decode = |text: &str| -> Result<String> {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        decoded.map(Cow::into_owned).map_err(|_| invalid_path())
    };
    if path.is_empty() {
        return Ok(Target::Root);
    }
    match path.split_once('/') {
        None => Ok(Target::Table(TableName::new(schema, decode(path)?))),
        Some(("rpc", name)) if !name.is_empty() && !name.contains('/') => {
            Ok(Target::Function(TableName::new(schema, decode(name)?)))
        }
        Some((name, "")) if name != "rpc" => Ok(Target::Table(TableName::new(schema, decode(name)?))),
        Some(_) => Err(invalid_path()),
    }
}

fn invalid_path() -> Error {
    Error::new(ErrorKind::NotFound, "PGRST125", "Invalid path specified in request URL")
}
