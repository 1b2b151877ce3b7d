//! What a storage provider may say it can do.

truststream_kernel::features! {
    /// Features of the Storage service.
    StorageFeature {
        /// Reads of a part of an object.
        Ranges = "ranges",
        /// URLs that carry their own permission.
        SignedUrls = "signed_urls",
        /// Row-level policies on objects.
        Policies = "policies",
    }
}
