//! The storage API: `/storage/v1`, as Supabase Storage answers it.

mod buckets;
mod download;
mod error;
mod objects;
mod path;
mod signed;
mod spool;
mod upload;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use truststream_kernel::{Context, Error, ErrorKind, Result};
use truststream_services::storage::Storage;

use crate::GatewayState;
use path::{Route, route};

/// Largest body of a request that is no upload.
const SMALL: usize = 1 << 20;

/// The routes of the storage API.
pub fn router(state: GatewayState) -> Router {
    Router::new().route("/storage/v1/{*path}", any(answer)).with_state(state)
}

/// One request: what its head says, its body, and storage as the caller may use it.
struct Call {
    parts: Parts,
    body: Body,
    storage: Storage,
    upload_limit: u64,
}

impl Call {
    /// The body as JSON.
    async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let bytes = axum::body::to_bytes(self.body, SMALL)
            .await
            .map_err(|_| Error::too_large(format!("the body is larger than {SMALL} bytes")))?;
        let bytes = if bytes.is_empty() { b"{}".as_slice() } else { &bytes };
        serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::InvalidInput, "InvalidRequest", error.to_string()))
    }

    /// A parameter of the query string.
    fn parameter(&self, name: &str) -> Option<String> {
        parameter(&self.parts, name)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

fn parameter(parts: &Parts, name: &str) -> Option<String> {
    url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

async fn answer(State(state): State<GatewayState>, request: Request) -> Response {
    match dispatch(&state, request).await {
        Ok(response) => response,
        Err(error) => error::respond(&error),
    }
}

async fn dispatch(state: &GatewayState, request: Request) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/storage/v1/").unwrap_or_default();
    let route = route(&parts.method, path).ok_or_else(no_route)?;
    // What is public or carries its own token needs no caller.
    let cx = if route.needs_caller() {
        state.identities.context(&parts.headers).await?
    } else {
        Context::system()
    };
    let cx = Context { settings: route.operation(&parts.method), ..cx };
    let storage = state.services.storage.with(cx);
    let call = Call { parts, body, storage, upload_limit: state.settings.storage.file_size_limit };
    match route {
        Route::Buckets => buckets::answer(call).await,
        Route::Bucket(id) => buckets::answer_one(call, id).await,
        Route::EmptyBucket(id) => buckets::empty(call, id).await,
        Route::Object { bucket, name } if call.parts.method == Method::DELETE => {
            objects::remove_one(call, bucket, name).await
        }
        Route::Object { bucket, name }
            if call.parts.method == Method::POST || call.parts.method == Method::PUT =>
        {
            upload::answer(call, bucket, name).await
        }
        Route::Object { bucket, name } => download::by_caller(call, bucket, name).await,
        Route::Public { bucket, name } => download::public(call, bucket, name).await,
        Route::Info { bucket, name, public } => download::info(call, bucket, name, public).await,
        Route::RemoveMany(bucket) => objects::remove_many(call, bucket).await,
        Route::List(bucket) => objects::list(call, bucket).await,
        Route::Move => objects::rename(call).await,
        Route::Copy => objects::copy(call).await,
        Route::Sign { bucket, name } => signed::sign_one(call, bucket, name).await,
        Route::SignMany(bucket) => signed::sign_many(call, bucket).await,
        Route::Signed { bucket, name } => download::by_token(call, bucket, name).await,
        Route::SignUpload { bucket, name } => signed::sign_upload(call, bucket, name).await,
        Route::SignedUpload { bucket, name } => upload::by_token(call, bucket, name).await,
        Route::Status => Ok(reply(StatusCode::OK, &Json::Bool(true))),
    }
}

fn no_route() -> Error {
    Error::new(ErrorKind::NotFound, error::NO_ROUTE, "no such route")
}

/// A JSON reply.
fn reply(status: StatusCode, body: &Json) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// A JSON reply that only says what was done.
fn done(message: &str) -> Response {
    reply(StatusCode::OK, &serde_json::json!({ "message": message }))
}
