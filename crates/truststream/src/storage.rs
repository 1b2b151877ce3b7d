//! Buckets and files.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::Bytes;
use serde_json::Value as Json;
use truststream_kernel::{Body, Error, Result};
use truststream_services::storage as ops;

pub use truststream_services::storage::{
    Access, Bucket, BucketSettings, ByteRange, Downloaded, Listed, Metadata, Object, Signed, UpdateBucket,
};

/// Buckets, for one caller.
pub struct Storage {
    storage: ops::Storage,
}

impl Storage {
    pub(crate) fn new(storage: ops::Storage) -> Self {
        Storage { storage }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// `ResourceAlreadyExists`, `InvalidBucketName`, `AccessDenied`.
    pub async fn create_bucket(&self, name: &str, settings: BucketSettings) -> Result<Bucket> {
        self.storage.send(ops::CreateBucket { name: name.to_owned(), settings }).await
    }

    /// A bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn get_bucket(&self, id: &str) -> Result<Bucket> {
        self.storage.send(ops::GetBucket { id: id.to_owned() }).await
    }

    /// All buckets that the caller may see.
    ///
    /// # Errors
    /// When the backend does not answer.
    pub async fn list_buckets(&self) -> Result<Vec<Bucket>> {
        self.storage.send(ops::ListBuckets).await
    }

    /// Changes a bucket's settings; what is absent stays.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn update_bucket(&self, changes: UpdateBucket) -> Result<()> {
        self.storage.send(changes).await
    }

    /// Removes all files of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub async fn empty_bucket(&self, id: &str) -> Result<()> {
        self.storage.send(ops::EmptyBucket { id: id.to_owned() }).await
    }

    /// Removes a bucket that is empty.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`.
    pub async fn delete_bucket(&self, id: &str) -> Result<()> {
        self.storage.send(ops::DeleteBucket { id: id.to_owned() }).await
    }

    /// The files of a bucket.
    pub fn from<'s>(&'s self, bucket: &str) -> Files<'s> {
        Files { storage: &self.storage, bucket: bucket.to_owned() }
    }
}

/// The files of a bucket.
///
/// ```no_run
/// # async fn example(db: truststream::TrustStream) -> truststream::Result<()> {
/// let storage = db.storage();
/// let covers = storage.from("covers");
/// covers.upload("1959/kind-of-blue.txt", "blue".as_bytes()).content_type("text/plain").await?;
/// assert_eq!(covers.read("1959/kind-of-blue.txt", 1024).await?, "blue");
/// # Ok(())
/// # }
/// ```
pub struct Files<'s> {
    storage: &'s ops::Storage,
    bucket: String,
}

impl Files<'_> {
    /// Stores a file, when awaited.
    pub fn upload(&self, name: &str, body: impl Into<Body>) -> Upload<'_> {
        let upload = ops::Upload {
            bucket: self.bucket.clone(),
            name: name.to_owned(),
            body: body.into(),
            content_type: "application/octet-stream".to_owned(),
            cache_control: "max-age=3600".to_owned(),
            user_metadata: None,
            upsert: false,
            access: Access::Caller,
        };
        Upload { storage: self.storage, upload }
    }

    /// A file, its bytes to be streamed.
    ///
    /// # Errors
    /// `NoSuchKey` when it is not there or not the caller's to see.
    pub async fn download(&self, name: &str) -> Result<Downloaded> {
        self.download_range(name, None).await
    }

    /// A part of a file.
    ///
    /// # Errors
    /// As [`Files::download`], and `InvalidRange`.
    pub async fn download_range(&self, name: &str, range: Option<ByteRange>) -> Result<Downloaded> {
        let (bucket, name) = (self.bucket.clone(), name.to_owned());
        self.storage.send(ops::Download { bucket, name, range, access: Access::Caller }).await
    }

    /// A file's bytes, at most `limit` of them.
    ///
    /// # Errors
    /// As [`Files::download`], and `TooLarge`.
    pub async fn read(&self, name: &str, limit: usize) -> Result<Bytes> {
        self.download(name).await?.body.collect(limit).await
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// As [`Files::download`].
    pub async fn info(&self, name: &str) -> Result<Object> {
        let (bucket, name) = (self.bucket.clone(), name.to_owned());
        self.storage.send(ops::Info { bucket, name, access: Access::Caller }).await
    }

    /// Files and folders directly below a folder (`""` is the bucket), by name, when awaited.
    pub fn list(&self, folder: &str) -> List<'_> {
        let list = ops::ListObjects {
            bucket: self.bucket.clone(),
            prefix: folder.trim_end_matches('/').to_owned(),
            limit: 100,
            offset: 0,
            search: String::new(),
            sort_by: "name".to_owned(),
            descending: false,
        };
        List { storage: self.storage, list }
    }

    /// Removes files and returns those that were there.
    ///
    /// # Errors
    /// When the backend does not answer.
    pub async fn remove(&self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<Object>> {
        let names = names.into_iter().map(Into::into).collect();
        self.storage.send(ops::RemoveObjects { bucket: self.bucket.clone(), names }).await
    }

    /// Gives a file another name.
    ///
    /// # Errors
    /// `NoSuchKey`, `KeyAlreadyExists`.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (bucket, to_bucket) = (self.bucket.clone(), self.bucket.clone());
        self.storage
            .send(ops::MoveObject { bucket, from: from.to_owned(), to_bucket, to: to.to_owned() })
            .await
    }

    /// Copies a file within the bucket.
    ///
    /// # Errors
    /// `NoSuchKey`, `KeyAlreadyExists`.
    pub async fn copy(&self, from: &str, to: &str) -> Result<Object> {
        let (bucket, to_bucket) = (self.bucket.clone(), self.bucket.clone());
        let (from, to) = (from.to_owned(), to.to_owned());
        self.storage.send(ops::CopyObject { bucket, from, to_bucket, to, upsert: false }).await
    }

    /// A token by which a file can be downloaded without further credentials, for so many seconds:
    /// `/storage/v1/object/sign/<bucket>/<name>?token=…`.
    ///
    /// # Errors
    /// When the file is not there or not the caller's to see.
    pub async fn signed_download(&self, name: &str, expires_in: u64) -> Result<String> {
        let (bucket, names) = (self.bucket.clone(), vec![name.to_owned()]);
        let signed = self.storage.send(ops::SignDownloads { bucket, names, expires_in }).await?;
        match signed.into_iter().next() {
            Some(Signed { token: Ok(token), .. }) => Ok(token),
            Some(Signed { token: Err(reason), .. }) => {
                Err(Error::new(truststream_kernel::ErrorKind::NotFound, "NoSuchKey", reason))
            }
            None => Err(Error::internal("no token came back for the name that was asked for")),
        }
    }

    /// A token by which one file can be uploaded without further credentials.
    ///
    /// # Errors
    /// When the caller may not upload it.
    pub async fn signed_upload(&self, name: &str, upsert: bool) -> Result<String> {
        let (bucket, name) = (self.bucket.clone(), name.to_owned());
        self.storage.send(ops::SignUpload { bucket, name, upsert }).await
    }
}

/// An upload that has not been sent yet.
#[must_use = "an upload does nothing until it is awaited"]
pub struct Upload<'s> {
    storage: &'s ops::Storage,
    upload: ops::Upload,
}

impl Upload<'_> {
    /// The file's MIME type.
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.upload.content_type = content_type.to_owned();
        self
    }

    /// `Cache-Control` of replies with this file, `max-age=3600` unless said.
    pub fn cache_control(mut self, cache_control: &str) -> Self {
        self.upload.cache_control = cache_control.to_owned();
        self
    }

    /// What the uploader adds.
    pub fn metadata(mut self, metadata: Json) -> Self {
        self.upload.user_metadata = Some(metadata);
        self
    }

    /// Replaces a file of this name.
    pub fn upsert(mut self) -> Self {
        self.upload.upsert = true;
        self
    }
}

impl<'s> IntoFuture for Upload<'s> {
    type Output = Result<Object>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Object>> + Send + 's>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.storage.send(self.upload))
    }
}

/// A listing that has not been asked for yet.
#[must_use = "a listing does nothing until it is awaited"]
pub struct List<'s> {
    storage: &'s ops::Storage,
    list: ops::ListObjects,
}

impl List<'_> {
    /// At most so many, 100 unless said.
    pub fn limit(mut self, limit: u64) -> Self {
        self.list.limit = limit;
        self
    }

    /// Skips so many.
    pub fn offset(mut self, offset: u64) -> Self {
        self.list.offset = offset;
        self
    }

    /// Only names that begin so.
    pub fn search(mut self, beginning: &str) -> Self {
        self.list.search = beginning.to_owned();
        self
    }

    /// By `name`, `updated_at`, `created_at` or `last_accessed_at`.
    pub fn sort_by(mut self, column: &str, descending: bool) -> Self {
        self.list.sort_by = column.to_owned();
        self.list.descending = descending;
        self
    }
}

impl<'s> IntoFuture for List<'s> {
    type Output = Result<Vec<Listed>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Vec<Listed>>> + Send + 's>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.storage.send(self.list))
    }
}
