//! `/bucket`

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind, Result, units};
use truststream_services::storage::{
    BucketSettings, CreateBucket, DeleteBucket, EmptyBucket, GetBucket, ListBuckets, UpdateBucket,
};

use super::{Call, done, reply};

/// A bucket as clients write it. A limit may be a number or a text such as `1MB`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    id: Option<String>,
    name: Option<String>,
    public: Option<bool>,
    #[serde(deserialize_with = "present")]
    file_size_limit: Option<Option<Json>>,
    #[serde(deserialize_with = "present")]
    allowed_mime_types: Option<Option<Vec<String>>>,
}

/// Tells null from absent.
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl Written {
    fn limit(&self) -> Result<Option<Option<u64>>> {
        let invalid = || {
            Error::new(
                ErrorKind::InvalidInput,
                "InvalidRequest",
                "file_size_limit: expected bytes or a size such as 1MB",
            )
        };
        match &self.file_size_limit {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(Json::Number(number))) => {
                number.as_u64().ok_or_else(invalid).map(|limit| Some(Some(limit)))
            }
            Some(Some(Json::String(text))) => units::bytes::parse(&text.to_ascii_lowercase())
                .ok_or_else(invalid)
                .map(|limit| Some(Some(limit))),
            Some(Some(_)) => Err(invalid()),
        }
    }
}

pub(super) async fn answer(call: Call) -> Result<Response> {
    let storage = call.storage.clone();
    if call.parts.method == Method::GET {
        let buckets = storage.send(ListBuckets).await?;
        return Ok(reply(StatusCode::OK, &json!(buckets)));
    }
    let written: Written = call.json().await?;
    let name = written.name.clone().or(written.id.clone()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "InvalidRequest", "body must have required property 'name'")
    })?;
    let settings = BucketSettings {
        public: written.public.unwrap_or(false),
        file_size_limit: written.limit()?.flatten(),
        allowed_mime_types: written.allowed_mime_types.flatten(),
    };
    let bucket = storage.send(CreateBucket { name, settings }).await?;
    Ok(reply(StatusCode::OK, &json!({ "name": bucket.name })))
}

pub(super) async fn answer_one(call: Call, id: String) -> Result<Response> {
    let storage = call.storage.clone();
    match call.parts.method {
        Method::GET | Method::HEAD => {
            let bucket = storage.send(GetBucket { id }).await?;
            Ok(reply(StatusCode::OK, &json!(bucket)))
        }
        Method::PUT => {
            let written: Written = call.json().await?;
            let file_size_limit = written.limit()?;
            let update = UpdateBucket {
                id,
                public: written.public,
                file_size_limit,
                allowed_mime_types: written.allowed_mime_types,
            };
            storage.send(update).await?;
            Ok(done("Successfully updated"))
        }
        Method::DELETE => {
            storage.send(DeleteBucket { id }).await?;
            Ok(done("Successfully deleted"))
        }
        _ => Err(super::no_route()),
    }
}

pub(super) async fn empty(call: Call, id: String) -> Result<Response> {
    call.storage.send(EmptyBucket { id }).await?;
    Ok(done("Successfully emptied"))
}
