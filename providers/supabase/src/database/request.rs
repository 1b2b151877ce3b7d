//! Operations as HTTP requests.

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value as Json};
use truststream_kernel::{Body, Context, Error, Result};
use truststream_services::database::language::{render_names, render_query};
use truststream_services::database::{
    Arguments, Count, Delete, Format, Insert, Invoke, Media, NamedArgument, Query, Returning, Select,
    TableName, Transaction, Update, WriteOptions,
};

use super::RemoteDatabase;

/// Headers of the caller's request that are TrustStream's own to set, or concern one connection.
const OWN: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-profile",
    "apikey",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-profile",
    "content-type",
    "cookie",
    "expect",
    "host",
    "if-match",
    "keep-alive",
    "prefer",
    "proxy-authorization",
    "range",
    "range-unit",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl RemoteDatabase {
    pub(super) fn select_request(&self, cx: &Context, op: &Select) -> Result<RequestBuilder> {
        let request = self.to_table(cx, Method::GET, &op.table)?.query(&render_query(&op.query)?);
        let prefer = self.preferences(&op.transaction)?.counting(op.count);
        Ok(prefer.apply(accepting(request, &op.format)))
    }

    pub(super) fn insert_request(&self, cx: &Context, op: &Insert) -> Result<RequestBuilder> {
        let mut pairs = render_query(&Query { filter: None, ..op.query.clone() })?;
        if let Some(columns) = &op.columns {
            pairs.push(("columns".to_owned(), render_names(columns)));
        }
        let mut prefer = self.writing(&op.options)?;
        if let Some(conflict) = &op.on_conflict {
            prefer.add("resolution", if conflict.merge { "merge-duplicates" } else { "ignore-duplicates" });
            if let Some(columns) = &conflict.columns {
                pairs.push(("on_conflict".to_owned(), render_names(columns)));
            }
        }
        if op.missing_default {
            prefer.add("missing", "default");
        }
        let request = self.to_table(cx, Method::POST, &op.table)?.query(&pairs);
        let request = json_body(accepting(request, &op.options.format), &op.rows);
        Ok(prefer.apply(request))
    }

    pub(super) fn update_request(&self, cx: &Context, op: &Update) -> Result<RequestBuilder> {
        let mut pairs = render_query(&op.query)?;
        if let Some(columns) = &op.columns {
            pairs.push(("columns".to_owned(), render_names(columns)));
        }
        let mut prefer = self.writing(&op.options)?;
        if op.missing_default {
            prefer.add("missing", "default");
        }
        let request = self.to_table(cx, Method::PATCH, &op.table)?.query(&pairs);
        let request = json_body(accepting(request, &op.options.format), &op.values);
        Ok(prefer.apply(request))
    }

    pub(super) fn delete_request(&self, cx: &Context, op: &Delete) -> Result<RequestBuilder> {
        let request = self.to_table(cx, Method::DELETE, &op.table)?.query(&render_query(&op.query)?);
        Ok(self.writing(&op.options)?.apply(accepting(request, &op.options.format)))
    }

    pub(super) fn invoke_request(&self, cx: &Context, op: &Invoke) -> Result<RequestBuilder> {
        let mut pairs = render_query(&op.query)?;
        let path = ["rest", "v1", "rpc", op.function.name.as_str()];
        let method = if op.read_only { Method::GET } else { Method::POST };
        let request = self.to(cx, method, &path, &op.function.schema)?;
        let request = match (&op.arguments, op.read_only) {
            (Arguments::Named(arguments), true) => {
                pairs.extend(arguments.iter().map(pair));
                request
            }
            (Arguments::Json(arguments), true) => {
                pairs.extend(as_texts(arguments)?);
                request
            }
            (Arguments::Json(arguments), false) => json_body(request, arguments),
            (Arguments::Named(arguments), false) => form_body(request, arguments),
            (Arguments::Raw { media_type, body }, false) => {
                request.header(CONTENT_TYPE, media_type).body(sent(body))
            }
            (Arguments::Raw { .. }, true) => {
                return Err(Error::unsupported("a call that only reads takes no raw body"));
            }
        };
        let prefer = self.preferences(&op.transaction)?.counting(op.count);
        Ok(prefer.apply(accepting(request.query(&pairs), &op.format)))
    }

    fn to_table(&self, cx: &Context, method: Method, table: &TableName) -> Result<RequestBuilder> {
        self.to(cx, method, &["rest", "v1", table.name.as_str()], &table.schema)
    }

    /// A request in a schema, with the headers of the caller's own that policies may read.
    fn to(&self, cx: &Context, method: Method, path: &[&str], schema: &str) -> Result<RequestBuilder> {
        let reads = method == Method::GET;
        if !reads && cx.idempotency_key.is_some() {
            return Err(Error::unsupported("a remote project's data API knows no idempotency keys"));
        }
        let mut request = self.client.request(cx, method, path)?;
        if let Some(facts) = &cx.request {
            let headers: Map<String, Json> = serde_json::from_str(&facts.headers()).unwrap_or_default();
            for (name, value) in headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
                request = request.header(name, value.as_str().unwrap_or_default());
            }
        }
        // The project's default schema needs no naming, and a project of one schema knows no other.
        if self.schemas.first().is_none_or(|first| first != schema) {
            request = request.header(if reads { "accept-profile" } else { "content-profile" }, schema);
        }
        Ok(request)
    }

    fn writing(&self, options: &WriteOptions) -> Result<Preferences> {
        if options.if_version.is_some() {
            return Err(Error::unsupported("a remote project's data API knows no versions of rows"));
        }
        let mut prefer = self.preferences(&options.transaction)?;
        prefer.add(
            "return",
            match options.returning {
                Returning::Minimal => "minimal",
                Returning::HeadersOnly => "headers-only",
                Returning::Representation => "representation",
            },
        );
        // Only a counted write says how many rows it touched.
        Ok(prefer.counting(Some(options.count.unwrap_or(Count::Exact))))
    }

    fn preferences(&self, transaction: &Transaction) -> Result<Preferences> {
        let mut prefer = Preferences::default();
        if transaction.include_deleted {
            return Err(Error::unsupported("a remote project's data API knows no soft delete"));
        }
        if transaction.rollback {
            if !self.rollback {
                return Err(Error::unsupported("the remote project lets no request roll back")
                    .with_hint("where its `db-tx-end` allows it, configure `rollback = true`"));
            }
            prefer.add("tx", "rollback");
        }
        if let Some(zone) = &transaction.time_zone {
            prefer.add("timezone", zone);
        }
        if let Some(rows) = transaction.max_affected {
            prefer.add("handling", "strict");
            prefer.add("max-affected", &rows.to_string());
        }
        Ok(prefer)
    }
}

/// The `Prefer` header of a request.
#[derive(Default)]
struct Preferences(Vec<String>);

impl Preferences {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push(format!("{name}={value}"));
    }

    fn counting(mut self, count: Option<Count>) -> Self {
        match count {
            Some(Count::Exact) => self.add("count", "exact"),
            Some(Count::Planned) => self.add("count", "planned"),
            Some(Count::Estimated) => self.add("count", "estimated"),
            None => {}
        }
        self
    }

    fn apply(self, request: RequestBuilder) -> RequestBuilder {
        if self.0.is_empty() { request } else { request.header("prefer", self.0.join(", ")) }
    }
}

fn accepting(request: RequestBuilder, format: &Format) -> RequestBuilder {
    let stripped = if format.strip_nulls { ";nulls=stripped" } else { "" };
    let media = match &format.media {
        Media::Json if format.strip_nulls => format!("application/vnd.pgrst.array+json{stripped}"),
        Media::Json => "application/json".to_owned(),
        Media::Object => format!("application/vnd.pgrst.object+json{stripped}"),
        Media::Csv => "text/csv".to_owned(),
        Media::GeoJson => "application/geo+json".to_owned(),
        Media::Plan(plan) => {
            let kind = if plan.json { "json" } else { "text" };
            let options = plan.options.join("|");
            let options = if options.is_empty() { options } else { format!("; options={options}") };
            format!("application/vnd.pgrst.plan+{kind}{options}")
        }
        Media::Custom(media) => media.clone(),
    };
    request.header(ACCEPT, media)
}

fn json_body(request: RequestBuilder, body: &Body) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(sent(body))
}

fn sent(body: &Body) -> reqwest::Body {
    match body.in_memory() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap_stream(body.stream()),
    }
}

fn form_body(request: RequestBuilder, arguments: &[NamedArgument]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(arguments.iter().map(pair));
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
}

fn pair(argument: &NamedArgument) -> (String, String) {
    (argument.name.clone(), argument.value.clone())
}

/// The members of a JSON object as a query string has them.
fn as_texts(arguments: &Body) -> Result<Vec<(String, String)>> {
    let members: Map<String, Json> = serde_json::from_slice(&arguments.read()?).map_err(|error| {
        Error::unsupported("a call that only reads takes an object of parameters").with_source(error)
    })?;
    let text = |(name, value): (String, Json)| match value {
        Json::String(text) => Ok((name, text)),
        Json::Number(number) => Ok((name, number.to_string())),
        Json::Bool(truth) => Ok((name, truth.to_string())),
        Json::Null | Json::Array(_) | Json::Object(_) => {
            Err(Error::unsupported(format!("`{name}` can't be given to a call that only reads")))
        }
    };
    members.into_iter().map(text).collect()
}
