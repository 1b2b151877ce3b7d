//! What a realtime provider may say it can do.

truststream_kernel::features! {
    /// Features of the Realtime service.
    RealtimeFeature {
        /// Messages between subscribers of a topic.
        Broadcast = "broadcast",
        /// Changes of rows.
        Changes = "changes",
    }
}
