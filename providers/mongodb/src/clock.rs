//! What time it is: for a transaction, the moment at which it began.

use std::future::Future;
use std::time::{SystemTime, UNIX_EPOCH};

tokio::task_local! {
    static BEGAN: i64;
}

/// Does something that is a transaction, or a part of the one that is under way.
pub(crate) fn within<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    since(began(), work)
}

/// Does something in a transaction that began at that moment.
pub(crate) fn since<T>(began: i64, work: impl Future<Output = T>) -> impl Future<Output = T> {
    BEGAN.scope(began, work)
}

/// When the transaction began that is under way (`now()`), in microseconds since 1970.
pub(crate) fn began() -> i64 {
    BEGAN.try_with(|began| *began).unwrap_or_else(|_| now())
}

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
