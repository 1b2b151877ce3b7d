//! What a storage provider implements.

use std::future::Future;

use truststream_kernel::{Context, Features, Result};

use super::{
    Bucket, CopyObject, CreateBucket, DeleteBucket, Download, Downloaded, EmptyBucket, GetBucket, Info,
    ListBuckets, ListObjects, Listed, MoveObject, Object, RemoveObjects, SignDownloads, SignUpload, Signed,
    UpdateBucket, Upload,
};

/// Storage. Errors carry Supabase Storage's codes (`NoSuchKey`, `NoSuchBucket`, `KeyAlreadyExists`,
/// `EntityTooLarge`, `InvalidMimeType`, `InvalidKey`, `AccessDenied`, `InvalidJWT`, …).
///
/// # Behavior
/// Policies of `storage.objects` and `storage.buckets` decide for every caller that does not bypass
/// them; what they hide is `NotFound`, like what is not there.
pub trait StorageDriver: Send + Sync + 'static {
    /// What this provider can do.
    fn features(&self) -> Features;

    /// Makes a bucket.
    fn create_bucket(&self, cx: &Context, op: &CreateBucket) -> impl Future<Output = Result<Bucket>> + Send;

    /// A bucket.
    fn get_bucket(&self, cx: &Context, op: &GetBucket) -> impl Future<Output = Result<Bucket>> + Send;

    /// All buckets.
    fn list_buckets(
        &self,
        cx: &Context,
        op: &ListBuckets,
    ) -> impl Future<Output = Result<Vec<Bucket>>> + Send;

    /// Changes a bucket.
    fn update_bucket(&self, cx: &Context, op: &UpdateBucket) -> impl Future<Output = Result<()>> + Send;

    /// Removes a bucket's objects.
    fn empty_bucket(&self, cx: &Context, op: &EmptyBucket) -> impl Future<Output = Result<()>> + Send;

    /// Removes an empty bucket.
    fn delete_bucket(&self, cx: &Context, op: &DeleteBucket) -> impl Future<Output = Result<()>> + Send;

    /// Stores an object.
    ///
    /// # Behavior
    /// The bytes are durable before the object can be seen; an upload that fails leaves no trace.
    fn upload(&self, cx: &Context, op: &Upload) -> impl Future<Output = Result<Object>> + Send;

    /// Reads an object.
    fn download(&self, cx: &Context, op: &Download) -> impl Future<Output = Result<Downloaded>> + Send;

    /// What is known of an object.
    fn info(&self, cx: &Context, op: &Info) -> impl Future<Output = Result<Object>> + Send;

    /// Lists a folder.
    fn list_objects(
        &self,
        cx: &Context,
        op: &ListObjects,
    ) -> impl Future<Output = Result<Vec<Listed>>> + Send;

    /// Removes objects; returns those that were removed.
    fn remove_objects(
        &self,
        cx: &Context,
        op: &RemoveObjects,
    ) -> impl Future<Output = Result<Vec<Object>>> + Send;

    /// Renames an object.
    fn move_object(&self, cx: &Context, op: &MoveObject) -> impl Future<Output = Result<()>> + Send;

    /// Copies an object.
    fn copy_object(&self, cx: &Context, op: &CopyObject) -> impl Future<Output = Result<Object>> + Send;

    /// Tokens for downloads.
    fn sign_downloads(
        &self,
        cx: &Context,
        op: &SignDownloads,
    ) -> impl Future<Output = Result<Vec<Signed>>> + Send;

    /// A token for an upload.
    fn sign_upload(&self, cx: &Context, op: &SignUpload) -> impl Future<Output = Result<String>> + Send;
}
