//! Deadlocks between what changes several tables and who reads them.

use truststream_kernel::Result;

/// What a transaction fails with that was chosen to end a deadlock.
const DEADLOCK: &str = "40P01";

/// How often a transaction is begun.
const ATTEMPTS: u32 = 5;

/// Runs a transaction that changes, makes or drops what hangs on several tables. Whoever reads these at the
/// same time, the schema for one, may make a deadlock of it, which undoes everything: it is begun again.
///
/// # Errors
/// The transaction's own.
pub(crate) async fn outlast<T, F: Future<Output = Result<T>>>(transaction: impl Fn() -> F) -> Result<T> {
    for _ in 1..ATTEMPTS {
        match transaction().await {
            Err(error) if error.code() == DEADLOCK => {}
            done => return done,
        }
    }
    transaction().await
}
