//! The native realtime engine: topics in process, changes from the database's feed.
//!
//! One reader follows the feed for all subscribers. Whether a subscriber may see a changed row is
//! asked of the database as that subscriber, so policies hold for events as they do for reads;
//! rows that were deleted are judged by what they were.

#[cfg(test)]
mod deaf_tests;
mod filter;
mod hub;
mod reader;
mod topics;

pub use hub::RealtimeEngine;
