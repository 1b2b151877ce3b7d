//! The driver.

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use truststream_kernel::{Context, Error, FeatureSet, Features, Result};
use truststream_services::storage::{
    Bucket, CopyObject, CreateBucket, DeleteBucket, Download, Downloaded, EmptyBucket, GetBucket, Info,
    ListBuckets, ListObjects, Listed, MoveObject, Object, RemoveObjects, SignDownloads, SignUpload, Signed,
    StorageDriver, StorageFeature, UpdateBucket, Upload, operation,
};
use url::form_urlencoded;

use super::rows::{ObjectRow, metadata, nothing_known};
use crate::Config;
use crate::client::{Client, ask, json as decode, with_json};
use crate::error::of_storage_api;

/// The files of a remote project. Cheap to clone.
#[derive(Clone)]
pub struct RemoteStorage {
    pub(super) client: Arc<Client>,
}

impl RemoteStorage {
    /// What the project can do.
    pub fn declares() -> Features {
        Features { native: FeatureSet::all::<StorageFeature>(), emulated: FeatureSet::EMPTY }
    }

    /// The files of a project; nothing is sent yet.
    ///
    /// # Errors
    /// `BACKEND_002` for a URL that is none.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(RemoteStorage { client: Arc::new(Client::new(config)?) })
    }

    fn post(&self, cx: &Context, path: &[&str], body: &Json) -> Result<reqwest::RequestBuilder> {
        Ok(with_json(self.client.request(cx, Method::POST, path)?, body))
    }
}

/// One row of a listing.
#[derive(Deserialize)]
struct ListedRow {
    name: String,
    id: Option<String>,
    updated_at: Option<String>,
    created_at: Option<String>,
    last_accessed_at: Option<String>,
    metadata: Option<Map<String, Json>>,
}

/// One signed name.
#[derive(Deserialize)]
pub(super) struct SignedRow {
    path: Option<String>,
    #[serde(rename = "signedURL")]
    url: Option<String>,
    error: Option<String>,
}

/// The reply to a copy.
#[derive(Deserialize)]
struct Copied {
    #[serde(rename = "Id", default)]
    id: Option<String>,
}

/// The reply to an upload that is signed.
#[derive(Deserialize)]
struct SignedUpload {
    token: Option<String>,
    #[serde(default)]
    url: String,
}

/// What the reply says of a name.
pub(super) fn signed(row: SignedRow, name: &str) -> Signed {
    Signed {
        name: row.path.unwrap_or_else(|| name.to_owned()),
        token: match row.url.as_deref().and_then(token_of) {
            Some(token) => Ok(token),
            None => Err(row.error.unwrap_or_else(|| "it was not signed".to_owned())),
        },
    }
}

fn token_of(url: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "token").map(|(_, token)| token.into_owned())
}

impl StorageDriver for RemoteStorage {
    fn features(&self) -> Features {
        RemoteStorage::declares()
    }

    async fn create_bucket(&self, cx: &Context, op: &CreateBucket) -> Result<Bucket> {
        self.make_bucket(cx, op).await
    }

    async fn get_bucket(&self, cx: &Context, op: &GetBucket) -> Result<Bucket> {
        self.find_bucket(cx, &op.id).await
    }

    async fn list_buckets(&self, cx: &Context, _: &ListBuckets) -> Result<Vec<Bucket>> {
        self.all_buckets(cx).await
    }

    async fn update_bucket(&self, cx: &Context, op: &UpdateBucket) -> Result<()> {
        self.change_bucket(cx, op).await
    }

    async fn empty_bucket(&self, cx: &Context, op: &EmptyBucket) -> Result<()> {
        self.clear_bucket(cx, &op.id).await
    }

    async fn delete_bucket(&self, cx: &Context, op: &DeleteBucket) -> Result<()> {
        self.drop_bucket(cx, &op.id).await
    }

    async fn upload(&self, cx: &Context, op: &Upload) -> Result<Object> {
        self.store(cx, op).await
    }

    async fn download(&self, cx: &Context, op: &Download) -> Result<Downloaded> {
        self.fetch(cx, op).await
    }

    async fn info(&self, cx: &Context, op: &Info) -> Result<Object> {
        self.look(cx, op).await
    }

    async fn list_objects(&self, cx: &Context, op: &ListObjects) -> Result<Vec<Listed>> {
        let body = json!({
            "prefix": op.prefix,
            "limit": op.limit,
            "offset": op.offset,
            "search": op.search,
            "sortBy": { "column": op.sort_by, "order": if op.descending { "desc" } else { "asc" } },
        });
        let request = self.post(cx, &["storage", "v1", "object", "list", &op.bucket], &body)?;
        let rows: Vec<ListedRow> = decode(&ask(request, false, of_storage_api).await?)?;
        let listed = |row: ListedRow| Listed {
            name: row.name,
            id: row.id,
            updated_at: row.updated_at,
            created_at: row.created_at,
            last_accessed_at: row.last_accessed_at,
            metadata: row.metadata.map(metadata),
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn remove_objects(&self, cx: &Context, op: &RemoveObjects) -> Result<Vec<Object>> {
        if let [name] = op.names.as_slice()
            && cx.settings == operation::REMOVE_OBJECT
        {
            return self.remove_one(cx, &op.bucket, name).await;
        }
        let request = self.client.request(cx, Method::DELETE, &["storage", "v1", "object", &op.bucket])?;
        let request = with_json(request, &json!({ "prefixes": op.names }));
        let rows: Vec<ObjectRow> = decode(&ask(request, true, of_storage_api).await?)?;
        Ok(rows.into_iter().map(Object::from).collect())
    }

    async fn move_object(&self, cx: &Context, op: &MoveObject) -> Result<()> {
        let body = json!({
            "bucketId": op.bucket,
            "sourceKey": op.from,
            "destinationBucket": op.to_bucket,
            "destinationKey": op.to,
        });
        let request = self.post(cx, &["storage", "v1", "object", "move"], &body)?;
        ask(request, true, of_storage_api).await.map(drop)
    }

    async fn copy_object(&self, cx: &Context, op: &CopyObject) -> Result<Object> {
        let body = json!({
            "bucketId": op.bucket,
            "sourceKey": op.from,
            "destinationBucket": op.to_bucket,
            "destinationKey": op.to,
        });
        let request = self.post(cx, &["storage", "v1", "object", "copy"], &body)?;
        let request = request.header("x-upsert", if op.upsert { "true" } else { "false" });
        let copied: Copied = decode(&ask(request, true, of_storage_api).await?)?;
        Ok(Object { id: copied.id.unwrap_or_default(), ..nothing_known(&op.to_bucket, &op.to) })
    }

    async fn sign_downloads(&self, cx: &Context, op: &SignDownloads) -> Result<Vec<Signed>> {
        if let [name] = op.names.as_slice()
            && cx.settings != operation::SIGN_DOWNLOADS
        {
            return Ok(vec![self.sign_one(cx, op, name).await?]);
        }
        let body = json!({ "expiresIn": op.expires_in, "paths": op.names });
        let request = self.post(cx, &["storage", "v1", "object", "sign", &op.bucket], &body)?;
        let rows: Vec<SignedRow> = decode(&ask(request, false, of_storage_api).await?)?;
        Ok(rows.into_iter().zip(&op.names).map(|(row, name)| signed(row, name)).collect())
    }

    async fn sign_upload(&self, cx: &Context, op: &SignUpload) -> Result<String> {
        let path = ["object", "upload", "sign"];
        let request = self.object(cx, Method::POST, &path, &op.bucket, &op.name)?;
        let request = with_json(request, &json!({}));
        let request = request.header("x-upsert", if op.upsert { "true" } else { "false" });
        let signed: SignedUpload = decode(&ask(request, false, of_storage_api).await?)?;
        let token = signed.token.or_else(|| token_of(&signed.url));
        token.ok_or_else(|| Error::internal("the remote project signed no upload"))
    }
}
