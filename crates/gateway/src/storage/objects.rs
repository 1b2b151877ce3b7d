//! Listing, moving, copying and removing objects.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use truststream_kernel::{Error, ErrorKind, Result};
use truststream_services::storage::{CopyObject, ListObjects, MoveObject, Object, RemoveObjects};

use super::{Call, done, reply};

#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(default)]
    prefix: String,
    #[serde(default = "hundred")]
    limit: u64,
    #[serde(default)]
    offset: u64,
    #[serde(default, rename = "sortBy")]
    sort_by: SortBy,
    #[serde(default)]
    search: Option<String>,
}

fn hundred() -> u64 {
    100
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SortBy {
    column: Option<String>,
    order: Option<String>,
}

pub(super) async fn list(call: Call, bucket: String) -> Result<Response> {
    let storage = call.storage.clone();
    let listing: Listing = call.json().await?;
    let objects = ListObjects {
        bucket,
        prefix: listing.prefix,
        limit: listing.limit,
        offset: listing.offset,
        search: listing.search.unwrap_or_default(),
        sort_by: listing.sort_by.column.unwrap_or_default(),
        descending: listing.sort_by.order.is_some_and(|order| order.eq_ignore_ascii_case("desc")),
    };
    Ok(reply(StatusCode::OK, &json!(storage.send(objects).await?)))
}

/// From where to where.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Way {
    bucket_id: String,
    source_key: String,
    destination_key: String,
    destination_bucket: Option<String>,
}

pub(super) async fn rename(call: Call) -> Result<Response> {
    let storage = call.storage.clone();
    let way: Way = call.json().await?;
    let to_bucket = way.destination_bucket.unwrap_or_else(|| way.bucket_id.clone());
    let rename =
        MoveObject { bucket: way.bucket_id, from: way.source_key, to_bucket, to: way.destination_key };
    storage.send(rename).await?;
    Ok(done("Successfully moved"))
}

pub(super) async fn copy(call: Call) -> Result<Response> {
    let storage = call.storage.clone();
    let upsert = call.header("x-upsert") == Some("true");
    let way: Way = call.json().await?;
    let to_bucket = way.destination_bucket.unwrap_or_else(|| way.bucket_id.clone());
    let copy = CopyObject {
        bucket: way.bucket_id,
        from: way.source_key,
        to_bucket,
        to: way.destination_key,
        upsert,
    };
    let object = storage.send(copy).await?;
    let mut body = described(&object);
    body["Key"] = json!(format!("{}/{}", object.bucket_id, object.name));
    body["Id"] = json!(object.id);
    Ok(reply(StatusCode::OK, &body))
}

#[derive(Debug, Deserialize)]
struct Prefixes {
    prefixes: Vec<String>,
}

pub(super) async fn remove_many(call: Call, bucket: String) -> Result<Response> {
    let storage = call.storage.clone();
    let Prefixes { prefixes: names } = call.json().await?;
    let removed = storage.send(RemoveObjects { bucket, names }).await?;
    Ok(reply(StatusCode::OK, &Json::Array(removed.iter().map(described).collect())))
}

pub(super) async fn remove_one(call: Call, bucket: String, name: String) -> Result<Response> {
    let removed = call.storage.send(RemoveObjects { bucket, names: vec![name] }).await?;
    if removed.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "NoSuchKey", "Object not found"));
    }
    Ok(done("Successfully deleted"))
}

/// An object as listings of whole rows show it.
fn described(object: &Object) -> Json {
    let mut body = json!(object);
    body["owner"] = json!(object.owner_id);
    body
}
