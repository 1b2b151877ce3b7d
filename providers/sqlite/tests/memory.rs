//! A database in memory: one for all connections, gone with the driver, isolated as a file is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use truststream_kernel::Context;
use truststream_services::database::{Batch, DatabaseDriver, Step};
use truststream_sqlite::{MemoryConfig, SqliteDriver};

use crate::support::{ids, migrate, note};

async fn fresh() -> SqliteDriver {
    let driver = SqliteDriver::in_memory(MemoryConfig::default()).await.unwrap();
    migrate(&driver).await;
    driver
}

#[tokio::test(flavor = "multi_thread")]
async fn two_databases_are_two() {
    let (one, other) = (fresh().await, fresh().await);
    one.insert(&Context::system(), &note(1)).await.unwrap();
    assert_eq!((ids(&one).await, ids(&other).await), (vec![1], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_see_all_of_a_transaction_or_nothing_while_writes_go_on() {
    let driver = Arc::new(fresh().await);
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (driver, done) = (Arc::clone(&driver), Arc::clone(&done));
            let reads = Arc::new(AtomicU32::new(0));
            let count = Arc::clone(&reads);
            let reader = tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let seen = ids(&driver).await.len();
                    assert_eq!(seen % 2, 0, "half of a batch was seen");
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            (reader, reads)
        })
        .collect();
    // Each of them has to read meanwhile, whenever its thread gets a processor.
    let waits = || {
        let has_not_read = |reads: &AtomicU32| reads.load(Ordering::Relaxed) == 0;
        readers.iter().any(|(reader, reads)| has_not_read(reads) && !reader.is_finished())
    };
    let mut pairs = 0;
    while pairs < 200 || waits() {
        let steps = [2 * pairs, 2 * pairs + 1].map(|id| Step::Insert(note(id))).into();
        driver.batch(&Context::system(), &Batch::new(steps)).await.unwrap();
        pairs += 1;
    }
    done.store(true, Ordering::Relaxed);
    for (reader, _) in readers {
        reader.await.unwrap();
    }
    assert_eq!(ids(&driver).await.len() as i64, 2 * pairs);
}
