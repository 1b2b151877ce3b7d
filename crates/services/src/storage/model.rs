//! Buckets and objects as callers see them, in the JSON shape of Supabase Storage.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use truststream_kernel::Body;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Id; the same as the name.
    pub id: String,
    /// Name.
    pub name: String,
    /// Who made it; empty if nobody known.
    #[serde(default)]
    pub owner: Option<String>,
    /// Whether anyone may download its objects by their public URL.
    pub public: bool,
    /// Largest object in bytes.
    pub file_size_limit: Option<u64>,
    /// MIME types allowed, `image/*` for all images; all if absent.
    pub allowed_mime_types: Option<Vec<String>>,
    /// When it was made, as timestamp text.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Id.
    pub id: String,
    /// Bucket.
    pub bucket_id: String,
    /// Name within the bucket, folders divided by `/`.
    pub name: String,
    /// The version whose bytes it has.
    pub version: String,
    /// Who owns it.
    pub owner_id: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// When it was read last.
    pub last_accessed_at: Option<String>,
    /// Size, MIME type, cache control, entity tag.
    pub metadata: Metadata,
    /// What the uploader added.
    pub user_metadata: Option<Json>,
}

/// What is known of an object's bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Entity tag, quoted.
    #[serde(rename = "eTag")]
    pub etag: String,
    /// Size in bytes.
    pub size: u64,
    /// MIME type.
    pub mimetype: String,
    /// `Cache-Control` of replies.
    #[serde(rename = "cacheControl")]
    pub cache_control: String,
    /// When the bytes were written.
    #[serde(rename = "lastModified")]
    pub last_modified: String,
    /// The same as `size`, as Supabase has it.
    #[serde(rename = "contentLength")]
    pub content_length: u64,
    /// Status of the upload, always 200.
    #[serde(rename = "httpStatusCode")]
    pub http_status_code: u16,
}

/// An object or, in a listing, a folder (then only `name` is set).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// Name below the prefix that was listed.
    pub name: String,
    /// Id; absent for folders.
    pub id: Option<String>,
    /// When it was changed last.
    pub updated_at: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// When it was read last.
    pub last_accessed_at: Option<String>,
    /// Size, MIME type and so on.
    pub metadata: Option<Metadata>,
}

/// An object's bytes, or a part of them.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// What is known of it.
    pub object: Object,
    /// The bytes.
    pub body: Body,
    /// First byte and, exclusively, last byte, if only a part was asked for.
    pub range: Option<(u64, u64)>,
}

/// A signed download of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// The object's name.
    pub name: String,
    /// The token of its URL, or why there is none.
    pub token: Result<String, String>,
}

/// By what right an object is read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// By the caller's policies.
    Caller,
    /// By the bucket being public (reading only).
    Public,
    /// By a token made for this very object and purpose.
    Token(String),
}
