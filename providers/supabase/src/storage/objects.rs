//! Storing and reading objects.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use reqwest::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use truststream_kernel::{Body, ByteStream, Context, Error, ErrorKind, Outcome, Result};
use truststream_services::storage::{
    Access, ByteRange, Download, Downloaded, Info, Metadata, Object, Upload, operation,
};

use super::RemoteStorage;
use super::rows::{Known, downloaded, nothing_known};
use crate::client::{Reply, ask, json as decode, open};
use crate::error::{lost, of_storage_api};

#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "Id", default)]
    id: String,
}

impl RemoteStorage {
    pub(super) async fn store(&self, cx: &Context, op: &Upload) -> Result<Object> {
        let request = match &op.access {
            Access::Caller => {
                let updates = cx.settings == operation::UPDATE_OBJECT;
                let method = if updates { Method::PUT } else { Method::POST };
                self.object(cx, method, &["object"], &op.bucket, &op.name)?
            }
            Access::Token(token) => self
                .object(&Context::system(), Method::PUT, &["object", "upload", "sign"], &op.bucket, &op.name)?
                .query(&[("token", token)]),
            Access::Public => return Err(not_readable()),
        };
        let mut request = request
            .header(CONTENT_TYPE, &op.content_type)
            .header(CACHE_CONTROL, &op.cache_control)
            .header("x-upsert", if op.upsert { "true" } else { "false" });
        if let Some(metadata) = &op.user_metadata {
            request = request.header("x-metadata", BASE64_STANDARD.encode(metadata.to_string()));
        }
        if let Some(length) = op.body.length() {
            request = request.header(CONTENT_LENGTH, length);
        }
        let request = match &op.body {
            Body::Bytes(bytes) => request.body(bytes.clone()),
            Body::Open { .. } => request.body(reqwest::Body::wrap_stream(op.body.stream())),
        };
        let stored: Stored = decode(&ask(request, true, of_storage_api).await?)?;
        // Who may store may not be allowed to look: only what is known anyway is told.
        let size = op.body.length().unwrap_or_default();
        let metadata = Metadata {
            size,
            content_length: size,
            mimetype: op.content_type.clone(),
            cache_control: op.cache_control.clone(),
            http_status_code: 200,
            ..Metadata::default()
        };
        let user_metadata = op.user_metadata.clone();
        Ok(Object { id: stored.id, metadata, user_metadata, ..nothing_known(&op.bucket, &op.name) })
    }

    pub(super) async fn fetch(&self, cx: &Context, op: &Download) -> Result<Downloaded> {
        let response = self.begin(cx, op).await?;
        let headers = response.headers();
        let length = response.content_length();
        let range = headers.get(CONTENT_RANGE).and_then(|value| part(value.to_str().ok()?));
        let size = range.map(|(_, _, size)| size).or(length).unwrap_or_default();
        let object = downloaded(&op.bucket, &op.name, headers, size);
        let range = range.map(|(first, last, _)| (first, last + 1));
        Ok(Downloaded { object, body: self.body(cx, op, response, length), range })
    }

    /// The bytes of a reply that has begun; read again, they are asked for again.
    fn body(&self, cx: &Context, op: &Download, response: Response, length: Option<u64>) -> Body {
        let begun = Arc::new(Mutex::new(Some(response)));
        let (storage, cx, op) = (self.clone(), cx.clone(), op.clone());
        Body::opened_by(length, move || {
            let begun = begun.lock().take();
            let (storage, cx, op) = (storage.clone(), cx.clone(), op.clone());
            let bytes = async move {
                let response = match begun {
                    Some(response) => response,
                    None => storage.begin(&cx, &op).await?,
                };
                let chunks = response.bytes_stream();
                Ok::<ByteStream, Error>(chunks.map_err(|error| lost(error, Outcome::NotApplied)).boxed())
            };
            stream::once(bytes).try_flatten().boxed()
        })
    }

    async fn begin(&self, cx: &Context, op: &Download) -> Result<Response> {
        let request = match &op.access {
            Access::Caller => {
                self.object(cx, Method::GET, &["object", "authenticated"], &op.bucket, &op.name)?
            }
            Access::Public => {
                self.object(&Context::system(), Method::GET, &["object", "public"], &op.bucket, &op.name)?
            }
            Access::Token(token) => self
                .object(&Context::system(), Method::GET, &["object", "sign"], &op.bucket, &op.name)?
                .query(&[("token", token)]),
        };
        let request = match op.range {
            Some(ByteRange::From(first, Some(last))) => {
                request.header(RANGE, format!("bytes={first}-{last}"))
            }
            Some(ByteRange::From(first, None)) => request.header(RANGE, format!("bytes={first}-")),
            Some(ByteRange::Last(bytes)) => request.header(RANGE, format!("bytes=-{bytes}")),
            None => request,
        };
        let response = open(request, false).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(|error| lost(error, Outcome::NotApplied))?;
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            let message = "The requested range is not satisfiable";
            return Err(Error::new(ErrorKind::InvalidInput, "InvalidRange", message));
        }
        Err(of_storage_api(&Reply { status, headers, body }, false))
    }

    pub(super) async fn look(&self, cx: &Context, op: &Info) -> Result<Object> {
        let request = match &op.access {
            Access::Caller => self.object(cx, Method::GET, &["object", "info"], &op.bucket, &op.name)?,
            Access::Public => {
                let path = ["object", "info", "public"];
                self.object(&Context::system(), Method::GET, &path, &op.bucket, &op.name)?
            }
            Access::Token(_) => {
                return Err(Error::unsupported(
                    "a signed URL of a remote project tells no more than the object",
                ));
            }
        };
        let known: Known = decode(&ask(request, false, of_storage_api).await?)?;
        Ok(known.object(&op.bucket, &op.name))
    }

    /// A request for an object: `path`, then the bucket, then the name with its folders.
    pub(super) fn object(
        &self,
        cx: &Context,
        method: Method,
        path: &[&str],
        bucket: &str,
        name: &str,
    ) -> Result<RequestBuilder> {
        let mut parts = vec!["storage", "v1"];
        parts.extend(path);
        parts.push(bucket);
        parts.extend(name.split('/'));
        self.client.request(cx, method, &parts)
    }
}

/// `bytes 0-9/100`
fn part(text: &str) -> Option<(u64, u64, u64)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, size.parse().ok()?))
}

fn not_readable() -> Error {
    Error::new(ErrorKind::PermissionDenied, "AccessDenied", "a public bucket is public for reading only")
}
