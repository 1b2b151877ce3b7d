//! The operations of the Storage service.

use serde_json::Value as Json;
use truststream_kernel::{Body, Requires, operations};

use super::{Access, Bucket, Downloaded, Listed, Object, Signed, StorageDriver, StorageFeature};

operations! {
    /// The Storage service.
    StorageService("storage", StorageFeature), driver StorageDriver, op StorageOp, reply StorageReply {
        CreateBucket => create_bucket -> Bucket, Write, false;
        GetBucket => get_bucket -> Bucket, Read, true;
        ListBuckets => list_buckets -> Vec<Bucket>, Read, true;
        UpdateBucket => update_bucket -> (), Write, true;
        EmptyBucket => empty_bucket -> (), Write, true;
        DeleteBucket => delete_bucket -> (), Write, false;
        Upload => upload -> Object, Write, false;
        Download => download -> Downloaded, Read, true;
        Info => info -> Object, Read, true;
        ListObjects => list_objects -> Vec<Listed>, Read, true;
        RemoveObjects => remove_objects -> Vec<Object>, Write, true;
        MoveObject => move_object -> (), Write, false;
        CopyObject => copy_object -> Object, Write, false;
        SignDownloads => sign_downloads -> Vec<Signed>, Read, true;
        SignUpload => sign_upload -> String, Read, true;
    }
}

/// Settings of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// Whether anyone may download by public URL.
    pub public: bool,
    /// Largest object in bytes; none if absent.
    pub file_size_limit: Option<u64>,
    /// MIME types allowed; all if absent.
    pub allowed_mime_types: Option<Vec<String>>,
}

/// Makes a bucket.
#[derive(Clone, Debug)]
pub struct CreateBucket {
    /// Its name, which is its id as well.
    pub name: String,
    /// Its settings.
    pub settings: BucketSettings,
}

/// Asks for a bucket.
#[derive(Clone, Debug)]
pub struct GetBucket {
    /// Its id.
    pub id: String,
}

/// Asks for all buckets the caller may see, by name.
#[derive(Clone, Debug, Default)]
pub struct ListBuckets;

/// Changes a bucket's settings; what is absent stays.
#[derive(Clone, Debug)]
pub struct UpdateBucket {
    /// Its id.
    pub id: String,
    /// Whether anyone may download by public URL.
    pub public: Option<bool>,
    /// Largest object in bytes; `Some(None)` removes the limit.
    pub file_size_limit: Option<Option<u64>>,
    /// MIME types allowed; `Some(None)` allows all.
    pub allowed_mime_types: Option<Option<Vec<String>>>,
}

/// Removes all objects of a bucket.
#[derive(Clone, Debug)]
pub struct EmptyBucket {
    /// Its id.
    pub id: String,
}

/// Removes a bucket that is empty.
#[derive(Clone, Debug)]
pub struct DeleteBucket {
    /// Its id.
    pub id: String,
}

/// Stores an object.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Bucket.
    pub bucket: String,
    /// Name within it.
    pub name: String,
    /// The bytes.
    pub body: Body,
    /// MIME type.
    pub content_type: String,
    /// `Cache-Control` of replies, such as `max-age=3600`.
    pub cache_control: String,
    /// What the uploader adds.
    pub user_metadata: Option<Json>,
    /// Replace an object of this name.
    pub upsert: bool,
    /// By what right.
    pub access: Access,
}

/// Reads an object.
#[derive(Clone, Debug)]
pub struct Download {
    /// Bucket.
    pub bucket: String,
    /// Name within it.
    pub name: String,
    /// A part of it, as an HTTP `Range` asks.
    pub range: Option<ByteRange>,
    /// By what right.
    pub access: Access,
}

/// A part of an object, as an HTTP `Range` asks (RFC 9110, 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From this byte to that one, both included; to the end if absent.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// Asks what is known of an object.
#[derive(Clone, Debug)]
pub struct Info {
    /// Bucket.
    pub bucket: String,
    /// Name within it.
    pub name: String,
    /// By what right.
    pub access: Access,
}

/// Lists what lies directly below a prefix: objects, and folders that hold some.
#[derive(Clone, Debug)]
pub struct ListObjects {
    /// Bucket.
    pub bucket: String,
    /// Folder, without a slash at its end; empty for the bucket itself.
    pub prefix: String,
    /// At most so many.
    pub limit: u64,
    /// After skipping so many.
    pub offset: u64,
    /// Only names that begin so.
    pub search: String,
    /// Order by `name`, `updated_at`, `created_at` or `last_accessed_at`.
    pub sort_by: String,
    /// Descending.
    pub descending: bool,
}

/// Removes objects; those that are not there, or not the caller's to remove, are passed over.
#[derive(Clone, Debug)]
pub struct RemoveObjects {
    /// Bucket.
    pub bucket: String,
    /// Names within it.
    pub names: Vec<String>,
}

/// Gives an object another name, or another bucket.
#[derive(Clone, Debug)]
pub struct MoveObject {
    /// Bucket.
    pub bucket: String,
    /// Present name.
    pub from: String,
    /// Bucket to move to.
    pub to_bucket: String,
    /// New name.
    pub to: String,
}

/// Copies an object.
#[derive(Clone, Debug)]
pub struct CopyObject {
    /// Bucket.
    pub bucket: String,
    /// Name of the original.
    pub from: String,
    /// Bucket of the copy.
    pub to_bucket: String,
    /// Name of the copy.
    pub to: String,
    /// Replace an object of this name.
    pub upsert: bool,
}

/// Makes tokens by which objects can be downloaded without further credentials.
#[derive(Clone, Debug)]
pub struct SignDownloads {
    /// Bucket.
    pub bucket: String,
    /// Names within it.
    pub names: Vec<String>,
    /// Seconds until they expire.
    pub expires_in: u64,
}

/// Makes a token by which one object can be uploaded without further credentials.
#[derive(Clone, Debug)]
pub struct SignUpload {
    /// Bucket.
    pub bucket: String,
    /// Name within it.
    pub name: String,
    /// Whether it may replace an object.
    pub upsert: bool,
}

impl Requires for CreateBucket {}
impl Requires for GetBucket {}
impl Requires for ListBuckets {}
impl Requires for UpdateBucket {}
impl Requires for EmptyBucket {}
impl Requires for DeleteBucket {}
impl Requires for Upload {}
impl Requires for Download {}
impl Requires for Info {}
impl Requires for ListObjects {}
impl Requires for RemoveObjects {}
impl Requires for MoveObject {}
impl Requires for CopyObject {}
impl Requires for SignDownloads {}
impl Requires for SignUpload {}
