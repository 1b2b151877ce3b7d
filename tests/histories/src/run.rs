//! One run: a workload, a switch, a fault, and the judgement.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::sleep;

use crate::api::Api;
use crate::check::{Violation, check};
use crate::disk::Disk;
use crate::drive::Run;
use crate::engine::{Engine, Side};
use crate::gateway::{Gateway, Subject};
use crate::history::History;
use crate::namespaces::Home;
use crate::schedule::{Fault, Schedule};
use crate::workload::{Load, MIGRATION, Workload, prepare, read_state};

const PATIENT: &str = "\n[health]\ntimeout = \"60s\"\nlatency = \"60s\"\n";

/// What came of a run.
pub struct Verdict {
    pub operations: usize,
    pub failed: usize,
    /// The longest time that a client waited for a write.
    pub longest_write: Duration,
    pub took: Duration,
    pub violations: Vec<Violation>,
    /// The end of the gateway's log, for runs that went wrong.
    pub log: String,
}

/// Runs a schedule between two engines and judges what clients saw.
pub async fn run(
    subject: Subject<'_>,
    pair: (Engine, Engine),
    schedule: Schedule,
    load: Load,
    seed: u64,
) -> Result<Verdict> {
    let began = Instant::now();
    let disk = matches!(schedule.fault, Fault::TargetFull(_)).then(Disk::mount).transpose()?;
    let source = Side::start("main", pair.0, Ipv4Addr::LOCALHOST, None).await?;
    let target = Side::start("cloud", pair.1, Ipv4Addr::LOCALHOST, disk).await?;
    // Where nothing may fail, a busy machine is no database that is down.
    let patient = if schedule.may_fail() { "" } else { PATIENT };
    let settings = format!("active = \"main\"\n\n{}{}{patient}", source.settings(), target.settings());
    let end_at = match schedule.fault {
        Fault::EndAt(step) => Some(step),
        _ => None,
    };
    let jumps = matches!(schedule.fault, Fault::Clock(_));
    let subject = Subject { end_at, jumps, ..subject };
    let gateway = Gateway::start(subject, Home::here(), &settings, MIGRATION).await?;
    let api = Api::new(&gateway.url(), &gateway.service_key)?;
    prepare(&api, load).await?;
    let workload =
        Workload::start(&[gateway.url()], &gateway.service_key, &gateway.anon_key, load, seed).await?;
    let mut run = Run::new(gateway, source, target, schedule);
    sleep(Duration::from_millis(500)).await;
    let came = run.through().await;
    sleep(Duration::from_millis(500)).await;
    let history = workload.finish().await?;
    let log = run.gateway.log();
    came.with_context(|| format!("the run did not come to its goal; its log ends with\n{log}"))?;
    let end = read_state(&api, load.clients).await?;
    let mut violations = check(&history, &end);
    let failed =
        history.operations.iter().filter_map(|operation| operation.failure().map(|why| (operation, why)));
    let failed: Vec<_> = failed.collect();
    if !schedule.may_fail() {
        violations.extend(failed.iter().map(|(operation, why)| Violation {
            rule: "failed",
            what: format!(
                "client {}: {:?} at {:?}: {why}",
                operation.client, operation.action, operation.began
            ),
        }));
    }
    let longest_write = longest_write(&history);
    Ok(Verdict {
        operations: history.operations.len(),
        failed: failed.len(),
        longest_write,
        took: began.elapsed(),
        violations,
        log,
    })
}

pub fn longest_write(history: &History) -> Duration {
    let writes = history.operations.iter().filter(|operation| operation.is_write());
    writes.map(|operation| operation.ended - operation.began).max().unwrap_or_default()
}
