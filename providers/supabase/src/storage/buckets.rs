//! Buckets.

use reqwest::Method;
use serde_json::{Value as Json, json};
use truststream_kernel::{Context, Result};
use truststream_services::storage::{Bucket, CreateBucket, UpdateBucket};

use super::RemoteStorage;
use super::rows::BucketRow;
use crate::client::{ask, json as decode, with_json};
use crate::error::of_storage_api;

impl RemoteStorage {
    pub(super) async fn make_bucket(&self, cx: &Context, op: &CreateBucket) -> Result<Bucket> {
        let settings = &op.settings;
        let body = json!({
            "id": op.name,
            "name": op.name,
            "public": settings.public,
            "file_size_limit": settings.file_size_limit,
            "allowed_mime_types": settings.allowed_mime_types,
        });
        let request = with_json(self.client.request(cx, Method::POST, &["storage", "v1", "bucket"])?, &body);
        ask(request, true, of_storage_api).await?;
        self.find_bucket(cx, &op.name).await
    }

    pub(super) async fn find_bucket(&self, cx: &Context, id: &str) -> Result<Bucket> {
        let request = self.client.request(cx, Method::GET, &["storage", "v1", "bucket", id])?;
        decode::<BucketRow>(&ask(request, false, of_storage_api).await?).map(Bucket::from)
    }

    pub(super) async fn all_buckets(&self, cx: &Context) -> Result<Vec<Bucket>> {
        let request = self.client.request(cx, Method::GET, &["storage", "v1", "bucket"])?;
        let rows: Vec<BucketRow> = decode(&ask(request, false, of_storage_api).await?)?;
        Ok(rows.into_iter().map(Bucket::from).collect())
    }

    pub(super) async fn change_bucket(&self, cx: &Context, op: &UpdateBucket) -> Result<()> {
        let mut body = json!({ "id": op.id, "name": op.id });
        if let Some(public) = op.public {
            body["public"] = Json::Bool(public);
        }
        if let Some(limit) = op.file_size_limit {
            body["file_size_limit"] = limit.map_or(Json::Null, Json::from);
        }
        if let Some(types) = &op.allowed_mime_types {
            body["allowed_mime_types"] = types.clone().map_or(Json::Null, Json::from);
        }
        let request = self.client.request(cx, Method::PUT, &["storage", "v1", "bucket", &op.id])?;
        ask(with_json(request, &body), true, of_storage_api).await.map(drop)
    }

    pub(super) async fn clear_bucket(&self, cx: &Context, id: &str) -> Result<()> {
        let request = self.client.request(cx, Method::POST, &["storage", "v1", "bucket", id, "empty"])?;
        ask(with_json(request, &json!({})), true, of_storage_api).await.map(drop)
    }

    pub(super) async fn drop_bucket(&self, cx: &Context, id: &str) -> Result<()> {
        let request = self.client.request(cx, Method::DELETE, &["storage", "v1", "bucket", id])?;
        ask(with_json(request, &json!({})), true, of_storage_api).await.map(drop)
    }
}
