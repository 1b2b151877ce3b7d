//! HTTP to one project.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use truststream_kernel::{Context, Error, ErrorKind, Outcome, Result};
use url::Url;

use crate::Config;
use crate::credentials::Credentials;
use crate::error::{lost, malformed};

/// The name errors and metrics carry.
pub(crate) const PROVIDER: &str = "supabase";
/// How long connections are kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// A project: where it is, and who TrustStream is there.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
}

/// A reply that was read whole.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Client {
    /// A client for the project; nothing is sent yet.
    ///
    /// # Errors
    /// `BACKEND_002` for a URL that is none.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let base = Url::parse(config.url.trim_end_matches('/'))
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Error::configuration("url: expected the project's, such as https://abc.supabase.co")
            })?;
        let http = reqwest::Client::builder()
            .connect_timeout(config.connect_timeout)
            .pool_idle_timeout(IDLE)
            // Credentials go nowhere but to the project itself.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::configuration("no HTTP client can be made").with_source(error))?;
        Ok(Client { http, base, credentials: Credentials::new(config) })
    }

    /// Keys and tokens.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A request of the context's caller; `path` is below the project's URL, its parts not yet
    /// percent-encoded.
    pub(crate) fn request(&self, cx: &Context, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        let bearer = self.credentials.bearer(cx)?;
        self.with_bearer(&bearer, method, path)
    }

    /// A request with a token.
    pub(crate) fn with_bearer(&self, bearer: &str, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        if path.iter().any(|part| matches!(*part, "." | "..")) {
            // In a path they mean another one.
            return Err(Error::new(ErrorKind::NotFound, "PGRST125", "Invalid path specified in request URL"));
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::internal("the project's URL has no path"))?
            .pop_if_empty()
            .extend(path);
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|error| Error::configuration("a key is no text for a header").with_source(error))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        };
        Ok(self
            .http
            .request(method, url)
            .header(HeaderName::from_static("apikey"), secret(self.credentials.api_key())?)
            .header(AUTHORIZATION, secret(&format!("Bearer {bearer}"))?))
    }
}

/// Sends a request and reads the head of its reply. What is lost on the way may have been done if it
/// `writes`.
pub(crate) async fn open(request: RequestBuilder, writes: bool) -> Result<Response> {
    request.send().await.map_err(|error| {
        let unsent = error.is_connect() || error.is_builder();
        lost(error, if writes && !unsent { Outcome::Unknown } else { Outcome::NotApplied })
    })
}

/// Sends a request, reads its reply whole and refuses what is no success, in the words of `refusal`.
pub(crate) async fn ask(
    request: RequestBuilder,
    writes: bool,
    refusal: fn(&Reply, bool) -> Error,
) -> Result<Reply> {
    let reply = send(request, writes).await?;
    if reply.status.is_success() { Ok(reply) } else { Err(refusal(&reply, writes)) }
}

/// Sends a request and reads its reply whole.
pub(crate) async fn send(request: RequestBuilder, writes: bool) -> Result<Reply> {
    let response = open(request, writes).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let outcome = if writes { Outcome::Unknown } else { Outcome::NotApplied };
    let body = response.bytes().await.map_err(|error| lost(error, outcome))?;
    Ok(Reply { status, headers, body })
}

/// A JSON body.
pub(crate) fn with_json(request: RequestBuilder, body: &serde_json::Value) -> RequestBuilder {
    request.header(CONTENT_TYPE, "application/json").body(body.to_string())
}

/// The JSON of a reply.
pub(crate) fn json<T: serde::de::DeserializeOwned>(reply: &Reply) -> Result<T> {
    serde_json::from_slice(&reply.body).map_err(malformed)
}
