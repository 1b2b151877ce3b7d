//! What a switch says of itself, waited for.

use std::time::{Duration, Instant};

use truststream_runtime::Runtime;
use truststream_switch::{Flip, PartReport, Phase, ReadReport, Record};

use super::PATIENCE;

pub async fn latest(runtime: &Runtime) -> Record {
    runtime.switcher().latest().await.unwrap().unwrap()
}

/// Waits until the latest switch is as it should be.
pub async fn until(runtime: &Runtime, what: &str, holds: impl Fn(&Record) -> bool) -> Record {
    let began = Instant::now();
    loop {
        let record = latest(runtime).await;
        if holds(&record) {
            return record;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: {:?} {:?}", record.phase, record.report);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn ready(runtime: &Runtime) {
    until(runtime, "ready", |record| record.phase == Phase::Ready).await;
}

/// Waits until everything has moved, for no reason to give it up.
pub async fn committed(runtime: &Runtime) -> Record {
    let record = until(runtime, "commit", |record| !record.phase.is_before_commit()).await;
    assert_eq!((record.phase, record.report.failure.clone()), (Phase::Committed, None));
    record
}

/// What is told of a part, or of the one that it has become a part of.
pub fn part<'r>(record: &'r Record, name: &str) -> Option<&'r PartReport> {
    let reports = &record.report.parts;
    let has_it = |report: &&PartReport| report.tables.iter().any(|table| table.name == name);
    reports.iter().find(|report| report.name == name).or_else(|| reports.iter().find(has_it))
}

/// The flips of a part, of which nothing need be known yet.
pub fn flips(record: &Record, name: &str) -> Vec<Flip> {
    part(record, name).map_or_else(Vec::new, |report| report.flips.clone())
}

/// Every write came to the side that served it.
pub async fn no_strays(runtime: &Runtime) {
    let strays = runtime.switcher().strays().await.unwrap();
    assert!(strays.is_none_or(|strays| strays.seen == 0), "a write came to a side that did not serve it");
}

/// Whether so many reads were asked of both sides, none of which was answered otherwise. Those of what is
/// written all the time may stay undecided on a busy machine, where there may also be fewer in the time that
/// reads are compared for: whoever wants them has them compared again.
pub fn are_compared(reads: &ReadReport, wanted: u64) -> bool {
    assert!(reads.different.is_empty(), "{reads:?}");
    reads.equal + reads.undecided >= wanted
}
