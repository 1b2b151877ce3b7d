//! Objects as the project's API shows them.

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use truststream_kernel::{Type, Value};
use truststream_services::storage::{Bucket, Metadata, Object};

/// A bucket, with what the project leaves out.
#[derive(Deserialize)]
pub(super) struct BucketRow {
    id: String,
    name: String,
    owner: Option<String>,
    #[serde(default)]
    public: bool,
    file_size_limit: Option<u64>,
    allowed_mime_types: Option<Vec<String>>,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    updated_at: String,
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        Bucket {
            id: row.id,
            name: row.name,
            owner: row.owner,
            public: row.public,
            file_size_limit: row.file_size_limit,
            allowed_mime_types: row.allowed_mime_types,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A whole row, as removing shows it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ObjectRow {
    id: Option<String>,
    bucket_id: String,
    name: String,
    version: Option<String>,
    owner_id: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
    last_accessed_at: Option<String>,
    metadata: Option<Map<String, Json>>,
    user_metadata: Option<Json>,
}

impl From<ObjectRow> for Object {
    fn from(row: ObjectRow) -> Self {
        Object {
            id: row.id.unwrap_or_default(),
            bucket_id: row.bucket_id,
            name: row.name,
            version: row.version.unwrap_or_default(),
            owner_id: row.owner_id,
            created_at: row.created_at.unwrap_or_default(),
            updated_at: row.updated_at.unwrap_or_default(),
            last_accessed_at: row.last_accessed_at,
            metadata: metadata(row.metadata.unwrap_or_default()),
            user_metadata: row.user_metadata,
        }
    }
}

/// What is known of an object's bytes; what the project does not tell is empty.
pub(super) fn metadata(told: Map<String, Json>) -> Metadata {
    let text = |name: &str| told.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| told.get(name).and_then(Json::as_u64);
    let size = number("size").unwrap_or_default();
    Metadata {
        etag: text("eTag"),
        size,
        mimetype: text("mimetype"),
        cache_control: text("cacheControl"),
        last_modified: text("lastModified"),
        content_length: number("contentLength").unwrap_or(size),
        http_status_code: 200,
    }
}

/// The reply to `info`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    id: String,
    version: Option<String>,
    size: Option<u64>,
    content_type: Option<String>,
    cache_control: Option<String>,
    etag: Option<String>,
    metadata: Option<Json>,
    last_modified: Option<String>,
    created_at: Option<String>,
}

impl Known {
    /// The object of this name.
    pub(super) fn object(self, bucket: &str, name: &str) -> Object {
        let size = self.size.unwrap_or_default();
        let modified = self.last_modified.unwrap_or_default();
        Object {
            id: self.id,
            version: self.version.unwrap_or_default(),
            created_at: self.created_at.unwrap_or_default(),
            updated_at: modified.clone(),
            metadata: Metadata {
                etag: self.etag.unwrap_or_default(),
                size,
                mimetype: self.content_type.unwrap_or_default(),
                cache_control: self.cache_control.unwrap_or_default(),
                last_modified: modified,
                content_length: size,
                http_status_code: 200,
            },
            user_metadata: self.metadata,
            ..nothing_known(bucket, name)
        }
    }
}

/// An object of which only the name is known.
pub(super) fn nothing_known(bucket: &str, name: &str) -> Object {
    Object {
        id: String::new(),
        bucket_id: bucket.to_owned(),
        name: name.to_owned(),
        version: String::new(),
        owner_id: None,
        created_at: String::new(),
        updated_at: String::new(),
        last_accessed_at: None,
        metadata: Metadata::default(),
        user_metadata: None,
    }
}

/// What the head of a download tells of the object, whose whole size is `size`.
pub(super) fn downloaded(bucket: &str, name: &str, headers: &HeaderMap, size: u64) -> Object {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    Object {
        metadata: Metadata {
            etag: text("etag"),
            size,
            mimetype: text("content-type"),
            cache_control: text("cache-control"),
            last_modified: moment(&text("last-modified")).unwrap_or_default(),
            content_length: size,
            http_status_code: 200,
        },
        ..nothing_known(bucket, name)
    }
}

/// A date of HTTP's as rows have it.
fn moment(date: &str) -> Option<String> {
    let moment = Value::parse(&Type::Timestamptz, date).ok()?;
    Some(moment.to_json().trim_matches('"').replace("+00:00", "Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_become_moments() {
        assert_eq!(moment("Sat, 21 Nov 2026 15:04:05 GMT").as_deref(), Some("2026-11-21T15:04:05Z"));
        assert_eq!(moment("soon"), None);
    }
}
