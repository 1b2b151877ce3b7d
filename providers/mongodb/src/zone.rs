//! The time zone of a request.

use std::future::{Future, poll_fn};
use std::pin::pin;

use truststream_kernel::value::zone::{self, Zone};
use truststream_kernel::{Error, Result};
use truststream_services::database::Transaction;

use crate::clock;

/// Does something in the time zone that a request names, in a transaction; as with PostgREST, one that there is not changes
/// nothing. A zone is that of a thread: each time the work goes on, it may be on another.
pub(crate) async fn within<T>(transaction: &Transaction, work: impl Future<Output = T>) -> T {
    let zone = transaction.time_zone.as_deref().and_then(Zone::named);
    let mut work = pin!(clock::within(work));
    poll_fn(move |cx| zone::within(zone.clone(), || work.as_mut().poll(cx))).await
}

/// Refuses what the engine would do as if clocks showed UTC.
///
/// # Errors
/// 0A000 where the session has another zone.
pub(crate) fn only_utc(what: &str) -> Result<()> {
    match zone::session() {
        Some(zone) if !zone.is_utc() => {
            Err(Error::unsupported(format!("this database has no {what} in another time zone than UTC")))
        }
        _ => Ok(()),
    }
}
