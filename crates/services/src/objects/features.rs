//! What an object store may say it can do.

truststream_kernel::features! {
    /// Features of the Objects service.
    ObjectsFeature {
        /// Reads of a part of an object.
        Ranges = "ranges",
        /// Copies without moving the bytes through this process.
        Copy = "copy",
    }
}
